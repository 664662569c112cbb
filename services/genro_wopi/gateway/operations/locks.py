"""Locks as an operator sees them."""

from typing import Final

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import ConflictError, NotFoundError
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import FILE_ID, FileId
from genro_wopi.domain.locks import Lease
from genro_wopi.domain.tenants import tenant_id_of
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.operations.paging import paged
from genro_wopi.management.locks import ForceUnlock, LockList, LockListRequest, LockView
from genro_wopi.management.operation import Nothing
from genro_wopi.protocol.times import format_us

SESSIONS_AT_ONCE: Final = 500


async def list_locks(office: Office, caller: Caller, request: LockListRequest) -> LockList:
    """List the files of a tenant that are locked now.

    Only a session can lock, and a lock outlives it by minutes: the tenant's sessions of the last
    days name every file that can be locked.
    """
    tenant_id = await tenant_id_of(office.tenants, caller, request.tenant_id)
    seen: set[FileId] = set()
    found: list[LockView] = []
    cursor = ""
    while ids := await office.sessions.list_ids(tenant_id, after=cursor, limit=SESSIONS_AT_ONCE):
        for session_id, position in ids:
            cursor = position
            status = await office.sessions.get(session_id)
            if status is None or status.session.file_id in seen:
                continue
            file_id = status.session.file_id
            seen.add(file_id)
            lease = await office.locks.state(file_id)
            record = await office.registry.record(file_id) if lease else None
            if lease is not None and record is not None:
                found.append(_view(record, lease))
    items, next_cursor = paged(sorted(found, key=lambda lock: lock.since), request)
    return LockList(items=items, next_cursor=next_cursor)


async def force_unlock(office: Office, caller: Caller, request: ForceUnlock) -> Nothing:
    """End a lock that is stuck.

    Raises:
        NotFoundError: there is no such file for this caller.
        ConflictError: it is not locked.
    """
    file_id = FileId(request.file_id)
    record = await office.registry.record(file_id) if FILE_ID.fullmatch(file_id) else None
    if record is None or not caller.reaches(record.tenant_id, request.tenant_id):
        raise NotFoundError("There is no such file.")
    lease = await office.locks.state(file_id)
    if lease is None or not await office.locks.force_unlock(file_id, lease, request.reason):
        raise ConflictError("The file is not locked any more.")
    return Nothing()


def _view(record: FileRecord, lease: Lease) -> LockView:
    return LockView(
        file_id=record.file_id,
        storage_name=record.storage_name,
        file_path=record.path,
        holder=lease.holder,
        session_id=lease.session,
        since=format_us(lease.since_us),
        expires_at=format_us(lease.expires_us),
    )
