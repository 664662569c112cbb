"""Ends what lasted long enough: sessions, versions, deleted files, recovery copies.

Any number of workers do this; a file is taken by one of them, and what a killed one began is begun
again by the next. Only what the host itself kept is ever removed.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, ParamSpec, TypeVar

import msgspec

from genro_wopi.domain.audit import AuditStore
from genro_wopi.domain.clock import Clock, pause
from genro_wopi.domain.errors import HostError, NotFoundError
from genro_wopi.domain.events import EventLog
from genro_wopi.domain.files import FileRecord, FileRegistry
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.isolation import Failed, isolated
from genro_wopi.domain.moves import deleted_at_us
from genro_wopi.domain.rescues import Rescue, RescueStore, rescue_note
from genro_wopi.domain.session_ends import SessionEnds
from genro_wopi.domain.storages import (
    OddAnswerError,
    StorageBackend,
    StorageOpener,
    StorageProtocol,
)
from genro_wopi.domain.tenants import Directory, TenantStore
from genro_wopi.domain.upkeep_queue import DueFile, UpkeepQueue
from genro_wopi.domain.version_policy import DAY_US, VersionPolicy, upkeep

ROUND_S: Final = 2.0
FILES_AT_ONCE: Final = 20
VERSIONS_MAX: Final = 5_000
SWEEP_MS: Final = 600_000
COUNT_S: Final = 600.0
"""How often storages are counted."""

RESCUES_AT_ONCE: Final = 100
TENANTS_AT_ONCE: Final = 100
AGAIN_MS_MAX: Final = 7 * 86_400_000
"""A file is looked at once a week at least, so that a policy that was changed takes effect."""

AGAIN_ODD_MS: Final = 3_600_000
"""A file that cannot be looked at for what its storage says waits longer than others."""

FILE_TIMEOUT_S: Final = 30.0
"""For one file: a storage that answers slowly holds up the others' files no longer."""

T = TypeVar("T")
P = ParamSpec("P")

Report = Callable[[str, int], None]
ReportStorages = Callable[[Mapping[tuple[StorageProtocol, str], int]], None]
"""Is told how many storages there are, by back end and by what their probe found."""

ReportTotals = Callable[[int, int], None]
"""Is told how many dead letters and sessions there are."""


class Caretaker(msgspec.Struct, frozen=True, kw_only=True):
    """What is worked with, and how long things are kept."""

    ends: SessionEnds
    audit: AuditStore
    queue: UpkeepQueue
    registry: FileRegistry
    directory: Directory
    tenants: TenantStore
    storages: StorageOpener
    rescues: RescueStore
    clock: Clock
    recovery_days: int
    deleted_days: int
    audit_days: int
    events: EventLog
    dead_letter_days: int
    report: Report
    failed: Failed
    """Is told of what was raised, whatever it is; nothing of it ends the worker."""
    report_totals: ReportTotals = lambda _dead_letters, _sessions: None
    report_storages: ReportStorages = lambda _counts: None


async def keep_up(caretaker: Caretaker, stopping: asyncio.Event) -> None:
    """Look at due files every few seconds until told to stop."""
    counted_s = -COUNT_S
    while not stopping.is_set():
        await _round(caretaker)
        if caretaker.clock.monotonic_s() - counted_s >= COUNT_S:
            counted_s = caretaker.clock.monotonic_s()
            await _tried(caretaker, "counting storages", count_storages, caretaker)
        await pause(stopping, ROUND_S)


async def _round(caretaker: Caretaker) -> None:
    queue = caretaker.queue
    while await _tried(caretaker, "ending sessions", caretaker.ends.sweep):
        continue
    while await _tried(caretaker, "keeping events", caretaker.audit.keep_events):
        continue
    taken = await _tried(caretaker, "taking files", queue.take, limit=FILES_AT_ONCE)
    for due in taken or ():
        await _tried(caretaker, "a file", _in_time, caretaker, due)
    await _tried(caretaker, "counting", _count, caretaker)
    claimed = await _tried(caretaker, "claiming", queue.claim_sweep, interval_ms=SWEEP_MS)
    if claimed:
        await _tried(caretaker, "recovery copies", end_rescues, caretaker)
        await _tried(caretaker, "audit records", end_audit, caretaker)
        await _tried(caretaker, "dead letters", end_dead_letters, caretaker)


async def _count(caretaker: Caretaker) -> None:
    caretaker.report_totals(*await caretaker.events.totals())


async def _in_time(caretaker: Caretaker, due: DueFile) -> None:
    async with asyncio.timeout(FILE_TIMEOUT_S):
        await look_at(caretaker, due)


async def count_storages(caretaker: Caretaker) -> None:
    """Tell what probes found of all tenants' storages; every worker does, and shows the same."""
    counts: Counter[tuple[StorageProtocol, str]] = Counter()
    after = ""
    while tenants := await caretaker.tenants.list_tenants(after=after, limit=TENANTS_AT_ONCE):
        for tenant in tenants:
            found = await _tried(
                caretaker, "counting storages", caretaker.tenants.list_storages, tenant.tenant_id
            )
            for storage in found or ():
                conformance = storage.probe.storage_class if storage.probe else "unknown"
                counts[storage.protocol, conformance] += 1
        after = tenants[-1].public_id
    caretaker.report_storages(counts)


async def end_audit(caretaker: Caretaker) -> None:
    """Remove audit records that were kept long enough."""
    before_us = caretaker.clock.now_us() - caretaker.audit_days * DAY_US
    for tenant_id in await caretaker.audit.tenants():
        removed = await _tried(
            caretaker, "audit records", caretaker.audit.purge, tenant_id, before_us=before_us
        )
        caretaker.report("audit records", removed or 0)


async def end_dead_letters(caretaker: Caretaker) -> None:
    """Remove events that were given up and that nobody sent again for long enough."""
    before_us = caretaker.clock.now_us() - caretaker.dead_letter_days * DAY_US
    caretaker.report("dead letters", await caretaker.events.end_dead(before_us=before_us))


async def _tried(
    caretaker: Caretaker,
    what: str,
    work: Callable[P, Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T | None:
    """Do a piece of work; what fails is due again when its claim lapses, and ends nothing else."""
    return await isolated(what, caretaker.failed, work, *args, **kwargs)


async def look_at(caretaker: Caretaker, due: DueFile) -> None:
    """Remove what of one file was kept long enough.

    Raises:
        HostError: Redis or the storage is away; nothing is settled.
    """
    record = await caretaker.registry.record(due.file_id)
    version = record.head.version if record and record.head else ""
    again_ms = 0
    if record is not None and not record.is_folder and not record.moving_to:
        try:
            again_ms = await _looked_at(caretaker, due, record)
        except Exception as error:
            if isinstance(error, HostError) and not isinstance(error, OddAnswerError):
                raise
            caretaker.failed("a file", error)
            again_ms = AGAIN_ODD_MS
    await caretaker.queue.settle(due, seen_version=version, again_ms=min(again_ms, AGAIN_MS_MAX))


async def _looked_at(caretaker: Caretaker, due: DueFile, record: FileRecord) -> int:
    """Remove what of a registered file is over; return when to look again, in ms from now."""
    try:
        storage = await caretaker.directory.storage(record.tenant_id, record.storage_name)
    except NotFoundError:
        return 0  # The tenant or its storage was removed; its files stay as they are.
    backend = await caretaker.storages.open(storage)
    if record.is_deleted:
        return await _end_deleted(caretaker, backend, record)
    if due.has_twin or storage.versions != VersionPolicy():
        return await _thin(caretaker, backend, record, storage.versions)
    return 0


async def _thin(
    caretaker: Caretaker, backend: StorageBackend, record: FileRecord, policy: VersionPolicy
) -> int:
    """Remove superfluous versions; return when to look again, in ms from now."""
    node = backend.node(record.path)
    head = await node.stat()
    if head is None:
        return 0
    kept = await node.versions(limit=VERSIONS_MAX)
    now_us = caretaker.clock.now_us()
    todo = upkeep(policy, head, kept, now_us=now_us)
    for version in todo.superfluous:
        await node.discard_version(version.key)
    await node.tidy()
    caretaker.report("versions", len(todo.superfluous))
    return 0 if todo.next_us is None else max(1000, (todo.next_us - now_us) // 1000)


async def _end_deleted(caretaker: Caretaker, backend: StorageBackend, record: FileRecord) -> int:
    ends_us = deleted_at_us(record.path) + caretaker.deleted_days * DAY_US
    left_us = ends_us - caretaker.clock.now_us()
    if left_us > 0:
        return max(1000, left_us // 1000)
    await backend.purge(record.path)
    await caretaker.registry.forget(record)
    caretaker.report("deleted files", 1)
    return 0


async def end_rescues(caretaker: Caretaker) -> None:
    """Remove recovery copies that were kept long enough, of every tenant."""
    after = ""
    while tenants := await caretaker.tenants.list_tenants(after=after, limit=TENANTS_AT_ONCE):
        for tenant in tenants:
            await _tried(
                caretaker,
                "recovery copies",
                _end_rescues_of,
                caretaker,
                tenant.tenant_id,
            )
        after = tenants[-1].public_id


async def _end_rescues_of(caretaker: Caretaker, tenant_id: TenantId) -> None:
    before_us = caretaker.clock.now_us() - caretaker.recovery_days * DAY_US
    found = await caretaker.rescues.older(tenant_id, before_us=before_us, limit=RESCUES_AT_ONCE)
    for rescue in found:
        await _tried(caretaker, "a recovery copy", _end_rescue, caretaker, rescue)


async def _end_rescue(caretaker: Caretaker, rescue: Rescue) -> None:
    try:
        storage = await caretaker.directory.storage(rescue.tenant_id, rescue.storage_name)
    except NotFoundError:
        storage = None
    if storage is not None:
        node = (await caretaker.storages.open(storage)).node(rescue.file_path)
        await node.discard_rescued(rescue.rescue_id)
        await node.discard_rescued(rescue_note(rescue.rescue_id))
    await caretaker.rescues.forget(rescue)
    caretaker.report("recovery copies", 1)
