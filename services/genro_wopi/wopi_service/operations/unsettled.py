"""Saves that could not be settled in time: keeping them, and submitting them when things are back.

See `genro_wopi.domain.unsettled_saves`. Each process submits what it keeps, and what processes that
died left on its disk. The rules of a submission are those of every save; only that a lock which was
lost meanwhile, and which the save is believed to have held, is taken for seconds and not for long:
its editor may be gone.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec

from genro_wopi.domain.clock import pause
from genro_wopi.domain.errors import (
    HostError,
    NotFoundError,
    StorageFullError,
    UnauthenticatedError,
    UnavailableError,
)
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.isolation import Failed, isolated
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.rescues import Rescue, rescue_note
from genro_wopi.domain.saves import Receipt
from genro_wopi.domain.storages import Body, BodyReceiver, StorageNode
from genro_wopi.domain.unsettled_saves import (
    PAUSES_S,
    Outcome,
    UnsettledReport,
    UnsettledSave,
    UnsettledSaves,
)
from genro_wopi.wopi_service.operations.host import SAVE_PATIENCE_S, Host
from genro_wopi.wopi_service.operations.put_file import (
    OUTAGES,
    admit_identified_save,
    commit_save,
)

SUBMITTED_LOCK_TTL_MS: Final = 15_000
"""Life of a lock that a submission takes again."""

SWEEP_S: Final = 1.0
REPORT_S: Final = 5.0
AT_ONCE: Final = 4
VERSIONS_SEARCHED: Final = 100
"""How far back it is looked for the save itself, and for later ones of its editor."""

COPY_S: Final = 3.0
"""How long an editor that gets its 503 waits for the copy in the storage."""

CHUNK_TIMEOUT_S: Final = 30.0


class Unsettled(msgspec.Struct, frozen=True, kw_only=True):
    """What this process needs to keep saves and to submit them."""

    saves: UnsettledSaves
    report: UnsettledReport
    bodies: BodyReceiver
    """Receives again what was kept in a storage."""
    host: Host
    """Whose ledger takes lost locks again for `SUBMITTED_LOCK_TTL_MS` only."""
    kept_us: int
    """How long a save is kept at most."""
    size_bytes_max: int
    """Of one file."""
    coming: set[str] = msgspec.field(default_factory=set[str])
    """Ids of those that are being kept: their bytes may be on their way to a storage."""


async def keep(unsettled: Unsettled, save: UnsettledSave, body: Body) -> None:
    """Keep a save, on the disk first; in its storage where only Redis is away.

    Where there is no room, what the same editor sent before gives way.

    Raises:
        StorageFullError: there is no room for it.
    """
    unsettled.coming.add(save.save_id)
    try:
        await _keep(unsettled, save, body)
    finally:
        unsettled.coming.discard(save.save_id)


async def _keep(unsettled: Unsettled, save: UnsettledSave, body: Body) -> None:
    try:
        await unsettled.saves.keep(save, body)
    except StorageFullError:
        earlier = [s for s in await unsettled.saves.waiting() if save.follows(s)]
        for other in earlier:
            await _forget(unsettled, other)
        if not earlier:
            raise
        await unsettled.saves.keep(save, body)
    for other in await unsettled.saves.waiting():
        if other.save_id != save.save_id and save.replaces(other):
            await _forget(unsettled, other)
    if not save.storage_name:
        return
    try:
        async with asyncio.timeout(COPY_S):
            await _keep_in_storage(unsettled, save, body)
    except (HostError, TimeoutError):
        return  # It is on the disk.


async def waiting(unsettled: Unsettled) -> list[UnsettledSave]:
    """Return what is to be submitted, oldest first."""
    kept = await unsettled.saves.waiting()
    return [save for save in kept if save.save_id not in unsettled.coming]


async def submit_until(unsettled: Unsettled, stopping: asyncio.Event, failed: Failed) -> None:
    """Submit what is kept whenever it can be, until told to stop.

    Args:
        unsettled: what is worked with.
        stopping: tells when to stop.
        failed: is told of what was raised, whatever it is; other saves are submitted.
    """
    turns: dict[str, tuple[int, float]] = {}
    while not stopping.is_set():
        saves = await isolated("finding unsettled saves", failed, waiting, unsettled) or []
        await isolated("reporting unsettled saves", failed, _tell, unsettled, len(saves))
        turns = {s.save_id: turns.get(s.save_id, (0, 0.0)) for s in saves}
        now_s = unsettled.host.clock.monotonic_s()
        due = [s for s in saves if turns[s.save_id][1] <= now_s][:AT_ONCE]
        what = "submitting a save"
        settled = await asyncio.gather(*(isolated(what, failed, submit, unsettled, s) for s in due))
        now_s = unsettled.host.clock.monotonic_s()
        for save, is_settled in zip(due, settled, strict=True):
            if not is_settled:
                failures = turns[save.save_id][0]
                pause_s = PAUSES_S[min(failures, len(PAUSES_S) - 1)]
                turns[save.save_id] = (failures + 1, now_s + pause_s)
        await pause(stopping, SWEEP_S)


async def _tell(unsettled: Unsettled, count: int) -> None:
    with suppress(UnavailableError):  # Told when Redis is back.
        async with asyncio.timeout(REPORT_S):
            await unsettled.report.tell(count)


async def submit(unsettled: Unsettled, save: UnsettledSave) -> bool:
    """Submit one save; False where it has to wait."""
    is_over = save.received_us + unsettled.kept_us < unsettled.host.clock.now_us()
    try:
        outcome = await _submit(unsettled, save)
    except Exception as error:
        if is_over:
            await unsettled.saves.settle(save, Outcome.EXPIRED)
        if is_over or isinstance(error, HostError):
            return is_over
        raise
    await unsettled.saves.settle(save, outcome)
    return True


async def _submit(unsettled: Unsettled, save: UnsettledSave) -> Outcome:
    """Submit one save.

    Raises:
        HostError: it cannot be settled now.
    """
    host, claims = unsettled.host, save.claims
    record = await host.registry.record(claims.file_id)
    if record is None or record.tenant_id != claims.tenant_id:
        raise NotFoundError("There is no such file, or not again yet.")
    node = await _place(host, record.tenant_id, record.storage_name, record.path)
    if not record.is_deleted and not record.is_folder and await _is_void(host, node, save):
        await _discard_copy(node, save)
        return Outcome.VOID
    request = await admit_identified_save(host, claims, save.lock, save.headers)
    request = msgspec.structs.replace(request, receipt=Receipt(save.received_us, save.version))
    if not save.is_proven:
        refusal = UnauthenticatedError("The proof of the save could not be checked at its time.")
        request = msgspec.structs.replace(request, refusal=request.refusal or refusal)
    async with _body(unsettled, node, save) as body:
        deadline_s = host.deadline(SAVE_PATIENCE_S)
        try:
            await commit_save(host, request, body, save_id=save.save_id, deadline_s=deadline_s)
        except OUTAGES:
            raise
        except HostError as refusal:
            return await _refused(node, save, refusal)
    await _discard_copy(node, save)
    return Outcome.STORED


async def _refused(node: StorageNode, save: UnsettledSave, refusal: HostError) -> Outcome:
    """Tell what became of a save that the rules did not let in.

    Raises:
        HostError: no copy of it was kept.
    """
    if not refusal.recovery_id and not refusal.nothing_typed:
        raise refusal
    if refusal.recovery_id != save.save_id:
        await _discard_copy(node, save)
    return Outcome.VOID if refusal.nothing_typed else Outcome.RESCUED


async def _place(
    host: Host, tenant_id: TenantId, storage_name: str, path: StoragePath
) -> StorageNode:
    storage = await host.directory.storage(tenant_id, storage_name, even_suspended=True)
    return (await host.storages.open(storage)).node(path)


async def _is_void(host: Host, node: StorageNode, save: UnsettledSave) -> bool:
    """Look whether the very bytes are the head, or this save or a later one was stored since."""
    head = await node.stat()
    if head is None:
        return False
    if head.evidence is not None and head.evidence.sha256 == save.sha256:
        return True
    loaded_us = await host.sessions.loaded_us(save.claims.file_id, save.claims.address)
    stored = [head.evidence, *(v.evidence for v in await node.versions(limit=VERSIONS_SEARCHED))]
    return any(
        evidence is not None and save.is_void_after(evidence, loaded_us) for evidence in stored
    )


@asynccontextmanager
async def _body(
    unsettled: Unsettled, node: StorageNode, save: UnsettledSave
) -> AsyncGenerator[Body]:
    if not save.in_storage:
        async with unsettled.saves.open(save) as body:
            yield body
        return
    async with (
        node.open_rescued(save.save_id) as chunks,
        unsettled.bodies.receive(
            chunks,
            holder=save.claims.tenant_id,
            announced_bytes=save.size_bytes,
            size_bytes_max=unsettled.size_bytes_max,
            chunk_timeout_s=CHUNK_TIMEOUT_S,
        ) as body,
    ):
        yield body


async def _keep_in_storage(unsettled: Unsettled, save: UnsettledSave, body: Body) -> None:
    """Lay the bytes among the storage's recovery copies, where a loss of this disk spares them."""
    host, claims = unsettled.host, save.claims
    node = await _place(host, claims.tenant_id, save.storage_name, save.file_path)
    note = Rescue(
        rescue_id=save.save_id,
        tenant_id=claims.tenant_id,
        storage_name=save.storage_name,
        file_id=claims.file_id,
        file_path=save.file_path,
        session_id=claims.session_id,
        account="",
        user=claims.user,
        size_bytes=save.size_bytes,
        sha256=save.sha256,
        reason=save.reason,
        rescued_us=save.received_us,
    )
    await node.rescue(body, save.save_id)
    await node.rescue(MemoryBody(msgspec.json.encode(note)), rescue_note(save.save_id))
    await unsettled.saves.moved(msgspec.structs.replace(save, in_storage=True))


async def _forget(unsettled: Unsettled, save: UnsettledSave) -> None:
    """Drop what a later save holds too; its copy in the storage goes when that one is settled."""
    if not save.in_storage:
        await unsettled.saves.settle(save, Outcome.VOID)


async def _discard_copy(node: StorageNode, save: UnsettledSave) -> None:
    if save.in_storage:
        await node.discard_rescued(save.save_id)
        await node.discard_rescued(rescue_note(save.save_id))
