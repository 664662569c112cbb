"""Deleted files: which there are, and taking them back."""

from typing import Final

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.cursors import open_cursor, seal_cursor
from genro_wopi.domain.errors import AlreadyExistsError, NotFoundError, UnavailableError
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import FileId, SessionId
from genro_wopi.domain.moves import DELETED, deleted_at_us, original_path
from genro_wopi.domain.paths import StoragePath, parse_path
from genro_wopi.domain.storages import Storage
from genro_wopi.gateway.operations.files import UPLOAD_PATIENCE_S
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.operations.storages import storage_of
from genro_wopi.management.files import (
    DeletedList,
    DeletedRequest,
    DeletedView,
    Undelete,
    Undeleted,
)
from genro_wopi.protocol.file_name import numbered
from genro_wopi.protocol.times import format_us

NAMES_MAX: Final = 100


async def list_deleted(office: Office, caller: Caller, request: DeletedRequest) -> DeletedList:
    """List deleted files that can be taken back."""
    storage = await storage_of(office, caller, request.name, request.tenant_id)
    backend = await office.storages.open(storage)
    context = f"files.deleted/{storage.tenant_id}/{storage.name}"
    place = open_cursor(office.ring, request.cursor, context=context)
    try:
        page = await backend.list_page(StoragePath(DELETED), limit=request.limit, cursor=place)
        entries, cursor = page.entries, page.cursor
    except NotFoundError:
        entries, cursor = (), ""
    found = [await _deleted(office, storage, e.name.partition("-")[2]) for e in entries]
    return DeletedList(
        items=[
            DeletedView(
                file_id=record.file_id,
                path=original_path(record.path),
                deleted_at=format_us(deleted_at_us(record.path)),
            )
            for record in found
            if record is not None
        ],
        next_cursor=seal_cursor(office.ring, cursor, context=context) or None,
    )


async def undelete_file(office: Office, caller: Caller, request: Undelete) -> Undeleted:
    """Take a deleted file back, with its id and its versions.

    Raises:
        NotFoundError: it was never deleted, or its time is over.
        InvalidFieldsError: the path leaves the storage.
    """
    storage = await storage_of(office, caller, request.name, request.tenant_id)
    record = await _deleted(office, storage, request.file_id)
    if record is None:
        raise NotFoundError("There is no such deleted file; list those that there are.")
    path = parse_path(request.path or original_path(record.path), field="path")
    folder, _, name = path.rpartition("/")
    deadline_s = office.clock.monotonic_s() + UPLOAD_PATIENCE_S
    for number in range(NAMES_MAX):
        target = StoragePath(f"{folder}/{numbered(name, number)}".lstrip("/"))
        try:
            await office.mover.move(
                record, target, lock_id=None, session_id=SessionId(""), deadline_s=deadline_s
            )
        except AlreadyExistsError:
            continue
        return Undeleted(path=target, file_id=record.file_id)
    raise UnavailableError("No free name was found beside the file; name another path.")


async def _deleted(office: Office, storage: Storage, file_id: str) -> FileRecord | None:
    record = await office.registry.record(FileId(file_id))
    if record is None or not record.path.startswith(f"{DELETED}/"):
        return None
    own = (record.tenant_id, record.storage_name) == (storage.tenant_id, storage.name)
    return record if own else None
