"""Versions of files and recovery copies: looking at them and taking them back."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.commit import Commit
from genro_wopi.domain.errors import ConflictError, NotFoundError, UnavailableError
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.locks import mismatch
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.rescues import Rescue
from genro_wopi.domain.storages import Body, HeadChangedError, StorageNode
from genro_wopi.domain.tenants import tenant_id_of
from genro_wopi.gateway.operations.files import (
    ATTEMPTS_MAX,
    UPLOAD_PATIENCE_S,
    Download,
    file_view,
    find_file,
    find_version,
    upload_of,
)
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.operations.paging import paged, start_of
from genro_wopi.gateway.operations.storage_check import is_in
from genro_wopi.management.files import (
    FileRef,
    FileRestore,
    FileView,
    VersionList,
    VersionsRequest,
    VersionView,
)
from genro_wopi.management.recovery import (
    RecoveryList,
    RecoveryListRequest,
    RecoveryRef,
    RecoveryRestore,
    RecoveryView,
    RestoreTarget,
)
from genro_wopi.protocol.file_name import numbered
from genro_wopi.protocol.times import format_us

READ_PAUSE_S: Final = 30.0
"""A storage that pauses longer while kept bytes are read does not answer."""

NAMES_MAX: Final = 100


async def list_versions(office: Office, caller: Caller, request: VersionsRequest) -> VersionList:
    """List a file's versions, the newest first."""
    reference = FileRef(name=request.name, path=request.path, tenant_id=request.tenant_id)
    node, record = await find_file(office, caller, reference, must_exist=True)
    head = await node.stat()
    if head is None:
        raise NotFoundError("The file is gone.")
    known = await office.registry.observe(record.file_id, head)
    current = VersionView(
        version=known.version,
        size=known.size_bytes,
        last_modified=format_us(known.last_modified_us),
        sha256=known.sha256 or None,
        is_current=True,
    )
    start = start_of(request)
    kept = await node.versions(limit=start + request.limit)
    older = [
        VersionView(
            version=k.version,
            size=k.size_bytes,
            last_modified=format_us(k.evidence.last_modified_us if k.evidence else k.modified_us),
            sha256=k.evidence.sha256 if k.evidence else None,
            is_current=False,
        )
        for k in kept
    ]
    items, cursor = paged([current, *older], request)
    return VersionList(items=items, next_cursor=cursor)


async def restore_version(office: Office, caller: Caller, request: FileRestore) -> FileView:
    """Make an older version the newest again; what it replaces is kept too.

    Raises:
        NotFoundError: there is no such file or version.
        LockMismatchError: somebody edits the file.
        ConflictError: it is the newest already.
    """
    reference = FileRef(name=request.name, path=request.path, tenant_id=request.tenant_id)
    node, record = await find_file(office, caller, reference, must_exist=True)
    if record.head is not None and record.head.version == request.version:
        raise ConflictError("This version is the newest already.")
    kept = await find_version(node, request.version)
    async with (
        node.open_version(kept.key) as chunks,
        _received(office, record.tenant_id, chunks, kept.size_bytes) as body,
    ):
        return await _make_head(office, node, record, body)


async def list_recovery(
    office: Office, caller: Caller, request: RecoveryListRequest
) -> RecoveryList:
    """List saves that were refused and kept."""
    tenant_id = await tenant_id_of(office.tenants, caller, request.tenant_id)
    ids = await office.rescues.list_ids(tenant_id, after=request.cursor, limit=request.limit)
    found = [await office.rescues.get(tenant_id, rescue_id) for rescue_id, _ in ids]
    cursor = ids[-1][1] if len(ids) == request.limit else None
    return RecoveryList(items=[_view(r) for r in found if r is not None], next_cursor=cursor)


async def open_recovery(
    office: Office, caller: Caller, request: RecoveryRef, _byte_range: str | None
) -> Download:
    """Open what was refused for reading.

    Raises:
        NotFoundError: there is no such copy, or not any more.
    """
    rescue, node, _ = await _rescued(office, caller, request.recovery_id, request.tenant_id)
    async with AsyncExitStack() as stack:
        chunks = await stack.enter_async_context(node.open_rescued(rescue.rescue_id))
        return Download(
            size_bytes=rescue.size_bytes,
            version=rescue.rescue_id,
            part=None,
            chunks=chunks,
            source=stack.pop_all(),
        )


async def restore_recovery(office: Office, caller: Caller, request: RecoveryRestore) -> FileView:
    """Take a refused save back.

    Raises:
        NotFoundError: there is no such copy, or not any more.
        LockMismatchError: it is to be the newest version, and somebody edits the file.
    """
    rescue, node, record = await _rescued(office, caller, request.recovery_id, request.tenant_id)
    async with (
        node.open_rescued(rescue.rescue_id) as chunks,
        _received(office, record.tenant_id, chunks, rescue.size_bytes) as body,
    ):
        if request.target is RestoreTarget.HEAD:
            return await _make_head(office, node, record, body)
        return await _put_beside(office, record, body)


def _received(
    office: Office, tenant_id: TenantId, chunks: AsyncIterator[bytes], size_bytes: int
) -> AbstractAsyncContextManager[Body]:
    """Hold kept bytes as a body, to store them again."""
    return office.bodies.receive(
        chunks,
        holder=tenant_id,
        announced_bytes=size_bytes,
        size_bytes_max=office.file_bytes_max,
        chunk_timeout_s=READ_PAUSE_S,
    )


async def _rescued(
    office: Office, caller: Caller, rescue_id: str, tenant_id: str | None
) -> tuple[Rescue, StorageNode, FileRecord]:
    """Return a recovery copy, where its bytes lie, and the file that it is a save of.

    A note may have been made again from what lay in the storage: the file that it names counts
    where it is one of that storage.
    """
    owner = await tenant_id_of(office.tenants, caller, tenant_id)
    rescue = await office.rescues.get(owner, rescue_id)
    if rescue is None:
        raise NotFoundError("There is no such recovery copy; it may be older than 30 days.")
    storage = await office.tenants.get_storage(owner, rescue.storage_name)
    if storage is None:
        raise NotFoundError(f"The storage of the copy, {rescue.storage_name!r}, is gone.")
    record = await office.registry.record(rescue.file_id)
    if record is None or record.is_deleted or not is_in(record, storage):
        record = await office.registry.register(storage.tenant_id, storage.name, rescue.file_path)
    backend = await office.storages.open(storage)
    return rescue, backend.node(record.path), record


async def _make_head(office: Office, node: StorageNode, record: FileRecord, body: Body) -> FileView:
    deadline_s = office.clock.monotonic_s() + UPLOAD_PATIENCE_S
    commit = Commit(office.ledger, node, office.clock)
    for _ in range(ATTEMPTS_MAX):
        lease = await office.locks.state(record.file_id)
        if lease is not None:
            raise mismatch(lease)
        head = await node.stat()
        try:
            saved = await commit.upload(upload_of(record), body, head, deadline_s=deadline_s)
        except HeadChangedError:
            continue
        return file_view(record, saved)
    raise UnavailableError("Others keep writing this file; try again.")


async def _put_beside(office: Office, record: FileRecord, body: Body) -> FileView:
    deadline_s = office.clock.monotonic_s() + UPLOAD_PATIENCE_S
    storage = await office.tenants.get_storage(record.tenant_id, record.storage_name)
    if storage is None:
        raise NotFoundError("The storage is gone.")
    backend = await office.storages.open(storage)
    for number in range(1, NAMES_MAX):
        path = StoragePath(numbered(record.path, number))
        other = await office.registry.register(record.tenant_id, record.storage_name, path)
        commit = Commit(office.ledger, backend.node(path), office.clock)
        try:
            saved = await commit.upload(upload_of(other), body, None, deadline_s=deadline_s)
        except HeadChangedError:
            continue
        return file_view(other, saved)
    raise ConflictError("There are too many files of this name beside it; rename some.")


def _view(rescue: Rescue) -> RecoveryView:
    return RecoveryView(
        recovery_id=rescue.rescue_id,
        storage_name=rescue.storage_name,
        file_id=rescue.file_id,
        file_path=rescue.file_path,
        session_id=rescue.session_id,
        account=rescue.account,
        user=rescue.user,
        size=rescue.size_bytes,
        sha256=rescue.sha256,
        reason=rescue.reason,
        rescued_at=format_us(rescue.rescued_us),
    )
