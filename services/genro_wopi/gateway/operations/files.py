"""Files in storages: list, create, upload, download. Writing goes through the commit protocol."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from importlib.resources import files as package_files
from typing import Final

import msgspec

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.commit import Commit
from genro_wopi.domain.cursors import open_cursor, seal_cursor
from genro_wopi.domain.errors import (
    AlreadyExistsError,
    FieldError,
    InvalidFieldsError,
    NotFoundError,
    PreconditionFailedError,
    RangeError,
    UnavailableError,
)
from genro_wopi.domain.files import FileRecord, Head, KeptVersion
from genro_wopi.domain.identifiers import SessionId, new_save_id
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.paths import extension_of, parse_folder, parse_path
from genro_wopi.domain.saves import FileMovedError, Save, Saved
from genro_wopi.domain.storages import Body, HeadChangedError, StorageNode
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.operations.storages import storage_of
from genro_wopi.management.files import (
    EntryView,
    FileCreate,
    FileDownload,
    FileRef,
    FileView,
    FolderCreate,
    FolderCreated,
    FolderRequest,
    FolderView,
)
from genro_wopi.management.operation import Nothing
from genro_wopi.protocol.byte_range import ByteRange, UnsatisfiableRangeError, parse_range
from genro_wopi.protocol.times import format_us

UPLOAD_PATIENCE_S: Final = 25.0
MOVE_PAUSE_S: Final = 0.2
ATTEMPTS_MAX: Final = 8
"""How often an unconditional upload starts again when others write the same file."""

OFFICE_TEMPLATES: Final = frozenset({"docx", "xlsx", "pptx", "odt", "ods", "odp"})
TEXT_TEMPLATES: Final = frozenset({"txt", "md", "csv"})


class UploadConditions(msgspec.Struct, frozen=True):
    """If-Match and If-None-Match of an upload."""

    if_match: str | None = None
    if_none_match: str | None = None


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """A document that is being read; `source` closes it."""

    size_bytes: int | None
    """Of the whole document; None where it is made as it is sent."""
    version: str
    part: ByteRange | None
    chunks: AsyncIterator[bytes]
    source: AsyncExitStack


async def list_folder(office: Office, caller: Caller, request: FolderRequest) -> FolderView:
    """List a folder by name."""
    path = parse_folder(request.path)
    storage = await storage_of(office, caller, request.name, request.tenant_id)
    backend = await office.storages.open(storage)
    context = f"files.list/{storage.tenant_id}/{storage.name}/{path}"
    place = open_cursor(office.ring, request.cursor, context=context)
    page = await backend.list_page(path, limit=request.limit, cursor=place)
    return FolderView(
        items=[
            EntryView(
                name=e.name,
                path=f"{path}/{e.name}" if path else e.name,
                is_folder=e.is_folder,
                size=e.size_bytes,
                modified_at=format_us(e.modified_us) if e.modified_us else None,
            )
            for e in page.entries
        ],
        next_cursor=seal_cursor(office.ring, page.cursor, context=context) or None,
    )


async def create_file(office: Office, caller: Caller, request: FileCreate) -> FileView:
    """Create a file from a template.

    Raises:
        AlreadyExistsError: the name is taken.
        InvalidFieldsError: there is no such template.
    """
    body = MemoryBody(_template(request))
    conditions = UploadConditions(if_none_match="*")
    reference = FileRef(name=request.name, path=request.path, tenant_id=request.tenant_id)
    try:
        return await upload_file(office, caller, reference, body, conditions)
    except PreconditionFailedError as error:
        raise AlreadyExistsError(f"There is a file {request.path!r} already.") from error


async def upload_file(
    office: Office, caller: Caller, request: FileRef, body: Body, conditions: UploadConditions
) -> FileView:
    """Store a body that was received whole.

    Raises:
        PreconditionFailedError: If-Match or If-None-Match did not hold.
        UnavailableError: the storage stayed away, or others kept writing the file.
    """
    deadline_s = office.clock.monotonic_s() + UPLOAD_PATIENCE_S
    for _ in range(ATTEMPTS_MAX):
        node, record = await find_file(office, caller, request)
        commit = Commit(office.ledger, node, office.clock)
        head = await node.stat()
        await _check_conditions(office, record, head, conditions)
        try:
            saved = await commit.upload(upload_of(record), body, head, deadline_s=deadline_s)
        except HeadChangedError:
            continue
        except FileMovedError:
            await asyncio.sleep(MOVE_PAUSE_S)
            continue
        return file_view(record, saved)
    raise UnavailableError("Others keep writing this file; try again.")


async def open_download(
    office: Office, caller: Caller, request: FileDownload, byte_range: str | None
) -> Download:
    """Open a file, or one of its versions, for reading.

    Raises:
        NotFoundError: there is none.
        RangeError: no byte of it lies in the range.
    """
    reference = FileRef(name=request.name, path=request.path, tenant_id=request.tenant_id)
    node, record = await find_file(office, caller, reference, must_exist=True)
    async with AsyncExitStack() as stack:
        head = await node.stat()
        known = await office.registry.observe(record.file_id, head) if head else None
        if request.version and (known is None or request.version != known.version):
            kept = await find_version(node, request.version)
            chunks = await stack.enter_async_context(node.open_version(kept.key))
            return Download(
                size_bytes=kept.size_bytes,
                version=kept.version,
                part=None,
                chunks=chunks,
                source=stack.pop_all(),
            )
        part = _range(byte_range, head.size_bytes if head else 0) if byte_range else None
        first, last = (part.first, part.last) if part else (0, None)
        opened = await stack.enter_async_context(node.open_read(first=first, last=last))
        known = await office.registry.observe(record.file_id, opened.head)
        return Download(
            size_bytes=known.size_bytes,
            version=known.version,
            part=part,
            chunks=opened.chunks,
            source=stack.pop_all(),
        )


async def find_version(node: StorageNode, version: str) -> KeptVersion:
    """Find a version that was kept.

    Raises:
        NotFoundError: there is none, or not any more.
    """
    kept = await node.find_version(version)
    if kept is not None:
        return kept
    raise NotFoundError(f"There is no version {version!r} of this file; list its versions.")


async def delete_file(office: Office, caller: Caller, request: FileRef) -> Nothing:
    """Delete a file, which is kept for a while, or an empty folder.

    Raises:
        NotFoundError: there is neither.
        LockMismatchError: somebody edits the file.
        ConflictError: the folder is not empty.
    """
    path = parse_path(request.path, field="path")
    storage = await storage_of(office, caller, request.name, request.tenant_id)
    backend = await office.storages.open(storage)
    if await backend.node(path).stat() is None:
        await backend.remove_folder(path)
        return Nothing()
    record = await office.registry.register(storage.tenant_id, storage.name, path)
    deadline_s = office.clock.monotonic_s() + UPLOAD_PATIENCE_S
    await office.mover.delete(record, lock_id=None, session_id=SessionId(""), deadline_s=deadline_s)
    return Nothing()


async def create_folder(office: Office, caller: Caller, request: FolderCreate) -> FolderCreated:
    """Make a folder.

    Raises:
        AlreadyExistsError: the name is taken.
    """
    path = parse_path(request.path, field="path")
    storage = await storage_of(office, caller, request.name, request.tenant_id)
    await (await office.storages.open(storage)).make_folder(path)
    return FolderCreated(path=path)


async def find_file(
    office: Office, caller: Caller, request: FileRef, *, must_exist: bool = False
) -> tuple[StorageNode, FileRecord]:
    """Return a file's node and record.

    Raises:
        NotFoundError: there is no such storage, or file where it must exist.
        InvalidFieldsError: the path leaves the storage.
    """
    path = parse_path(request.path, field="path")
    storage = await storage_of(office, caller, request.name, request.tenant_id)
    node = (await office.storages.open(storage)).node(path)
    if must_exist and await node.stat() is None:
        raise NotFoundError(f"There is no file {path!r} in the storage.")
    return node, await office.registry.register(storage.tenant_id, storage.name, path)


async def _check_conditions(
    office: Office, record: FileRecord, head: Head | None, conditions: UploadConditions
) -> None:
    if conditions.if_none_match == "*" and head is not None:
        raise PreconditionFailedError("There is a file with this name already.")
    if conditions.if_match is None:
        return
    known = await office.registry.observe(record.file_id, head) if head else None
    if known is None or conditions.if_match.strip('"') not in {"*", known.version}:
        raise PreconditionFailedError("The file has another version than If-Match names.")


def upload_of(record: FileRecord) -> Save:
    """Describe an upload: a save without session and lock."""
    return Save(save_id=new_save_id(), file_id=record.file_id)


def _template(request: FileCreate) -> bytes:
    name = (request.template or extension_of(request.path)).lower()
    if name in TEXT_TEMPLATES:
        return b""
    if name in OFFICE_TEMPLATES:
        folder = package_files("genro_wopi.gateway").joinpath("templates")
        return folder.joinpath(f"empty.{name}").read_bytes()
    choices = ", ".join(sorted(OFFICE_TEMPLATES | TEXT_TEMPLATES))
    raise InvalidFieldsError((FieldError("template", f"use one of {choices}"),))


def _range(value: str, size_bytes: int) -> ByteRange | None:
    try:
        return parse_range(value, size_bytes)
    except UnsatisfiableRangeError as error:
        raise RangeError(size_bytes) from error


def file_view(record: FileRecord, saved: Saved) -> FileView:
    """Show a file that was stored."""
    head = saved.head
    return FileView(
        path=record.path,
        file_id=record.file_id,
        size=head.size_bytes,
        version=head.version,
        last_modified=format_us(head.last_modified_us),
        sha256=head.sha256,
    )
