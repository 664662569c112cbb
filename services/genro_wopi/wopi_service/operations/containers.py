"""Containers: the folders of a session's root folder, as an editor's file dialog walks them.

A container is registered like a file, at its path with a slash at the end; so it has an id of its
own, and a token for it is a session's like any other.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/containers/checkcontainerinfo
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from genro_wopi.domain.access_tokens import Grant
from genro_wopi.domain.errors import (
    AlreadyExistsError,
    ConflictError,
    NameTakenError,
    NotFoundError,
    UnauthenticatedError,
)
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import FileId
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.paths import StoragePath, base_name, extension_of
from genro_wopi.domain.reach import Right, may, reaches, require
from genro_wopi.domain.sessions import Admission, Purpose, Session
from genro_wopi.domain.storages import FolderEntry
from genro_wopi.protocol.file_name import decode_name
from genro_wopi.protocol.times import format_us
from genro_wopi.wopi_service.operations.admission import EditorRequest, admit
from genro_wopi.wopi_service.operations.host import LOCK_PATIENCE_S, Host, existing
from genro_wopi.wopi_service.operations.placement import (
    Folder,
    exact_name,
    folder_exists,
    folder_of,
    free_name,
    is_taken,
    usable_name,
)
from genro_wopi.wopi_service.operations.put_relative import NewFile, Target, require_one, store_in

CHILDREN_MAX: Final = 1000
RENAMED_MAX: Final = 1000
"""Files of a container that is renamed; every one of them is moved on its own."""

STATS_AT_ONCE: Final = 16


class Pointer(msgspec.Struct, frozen=True, rename="pascal"):
    """Name of a container or file, and an address with a token that opens it."""

    name: str
    url: str


class ChildFile(msgspec.Struct, frozen=True, rename="pascal"):
    """A file of a container."""

    name: str
    url: str
    version: str
    size: int
    last_modified_time: str


class Children(msgspec.Struct, frozen=True, rename="pascal"):
    """What lies in a container."""

    child_containers: list[Pointer]
    child_files: list[ChildFile]


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A container that a request was let into."""

    admission: Admission
    folder: Folder

    @property
    def session(self) -> Session:
        """The session that asks."""
        return self.admission.session

    @property
    def is_root(self) -> bool:
        """Whether nothing above it may be seen."""
        return self.folder.path == self.session.root


async def open_container(host: Host, request: EditorRequest) -> Opened:
    """Let a request into a container.

    Raises:
        NotFoundError: it is none, or gone.
        UnauthenticatedError, ProofRefusedError, UnavailableError: as `admit`.
    """
    admission = await admit(host, request, Purpose.CHECK)
    if not admission.file.is_folder or not may(admission.session, Right.LIST):
        raise NotFoundError("There is no such container.")
    path = StoragePath(admission.file.path.rstrip("/"))
    folder = await folder_of(host, admission.file, path)
    if path and not await folder_exists(folder.backend, path):
        raise NotFoundError("The container is not in its storage any more.")
    return Opened(admission=admission, folder=folder)


async def check_container_info(host: Host, request: EditorRequest) -> dict[str, object]:
    """Say what a container is and what this session may do with it."""
    opened = await open_container(host, request)
    return container_info(opened.session, opened.folder, is_root=opened.is_root)


def container_info(session: Session, folder: Folder, *, is_root: bool) -> dict[str, object]:
    """Build the answer to CheckContainerInfo."""
    can_create = may(session, Right.CREATE_CHILD)
    return {
        "Name": container_name(session, folder.path),
        "UserCanCreateChildContainer": can_create,
        "UserCanCreateChildFile": can_create,
        "UserCanDelete": may(session, Right.DELETE_CONTAINER) and not is_root,
        "UserCanRename": may(session, Right.RENAME_CONTAINER) and not is_root,
        "LicenseCheckForEditIsEnabled": session.can_edit,
        "IsEduUser": False,
        "IsAnonymousUser": session.options.is_anonymous,
        "SupportedShareUrlTypes": [],
    }


def container_name(session: Session, path: StoragePath) -> str:
    """Return a container's name; the storage's own folder is called like the storage."""
    return base_name(path) or session.storage_name


async def create_child_file(host: Host, request: EditorRequest, target: Target) -> NewFile:
    """Create an empty file in a container.

    Raises:
        UnsupportedOperationError: not exactly one target, or the session may not.
        InvalidNameError, NameTakenError: as PutRelativeFile.
    """
    opened = await open_container(host, request)
    require(opened.session, Right.CREATE_CHILD)
    require_one(target)
    return await store_in(host, opened.admission, opened.folder, target, MemoryBody(b""))


async def create_child_container(
    host: Host, request: EditorRequest, target: Target
) -> tuple[Pointer, dict[str, object]]:
    """Create a container in a container.

    Raises:
        UnsupportedOperationError: not exactly one target, or the session may not.
        InvalidNameError: the exact name cannot be one.
        NameTakenError: the exact name is taken.
    """
    opened = await open_container(host, request)
    require(opened.session, Right.CREATE_CHILD)
    require_one(target)
    folder = opened.folder
    if target.relative:
        name = exact_name(target.relative)
        if await is_taken(folder, name, is_folder=True):
            raise await _taken(folder, name)
    else:
        wanted = usable_name(decode_name(target.suggested or "") or "")
        name = await free_name(folder, wanted, is_folder=True)
    try:
        await folder.backend.make_folder(folder.child(name))
    except AlreadyExistsError:
        raise await _taken(folder, name) from None
    record = await _register(host, folder, folder.child(name))
    url = (await _urls(host, opened.admission, [record]))[0]
    made = msgspec.structs.replace(folder, path=folder.child(name))
    return Pointer(name, url), container_info(opened.session, made, is_root=False)


async def delete_container(host: Host, request: EditorRequest) -> None:
    """Remove an empty container.

    Raises:
        ConflictError: something is in it.
        UnauthenticatedError: the session may not.
    """
    opened = await open_container(host, request)
    require(opened.session, Right.DELETE_CONTAINER)
    _require_below_root(opened)
    await opened.folder.backend.remove_folder(opened.folder.path)


async def rename_container(host: Host, request: EditorRequest, requested: str) -> str:
    """Rename a container; it, and all that lies in it, keeps its id.

    Returns:
        The new name; another one where the requested is taken.

    Raises:
        InvalidNameError: the name cannot be one.
        ConflictError: too much lies in it.
        UnauthenticatedError: the session may not.
    """
    opened = await open_container(host, request)
    require(opened.session, Right.RENAME_CONTAINER)
    _require_below_root(opened)
    path = opened.folder.path
    above = msgspec.structs.replace(opened.folder, path=StoragePath(path.rpartition("/")[0]))
    wanted = exact_name(requested)
    if above.child(wanted) == path:
        return wanted
    name = await free_name(above, wanted, is_folder=True)
    budget = [RENAMED_MAX]
    await _count(opened.folder, path, budget)
    await _move_folder(host, opened, path, above.child(name))
    return name


async def children(host: Host, request: EditorRequest, extensions: Sequence[str]) -> Children:
    """List a container.

    Args:
        host: the ports.
        request: who asks.
        extensions: of the files that are listed, in lower case without dot; empty for all.
    """
    opened = await open_container(host, request)
    folder = opened.folder
    entries = await folder.backend.list_folder(folder.path, limit=CHILDREN_MAX)
    folders = [e for e in entries if e.is_folder]
    files = [
        e for e in entries if not e.is_folder and (not extensions or _extension(e) in extensions)
    ]
    gate = asyncio.Semaphore(STATS_AT_ONCE)

    async def look(entry: FolderEntry) -> tuple[FileRecord, ChildFile] | None:
        async with gate:
            record = await host.registry.register(
                folder.tenant_id, folder.storage_name, folder.child(entry.name)
            )
            try:
                _, head = await existing(host, record)
            except NotFoundError:
                return None  # It went away since the folder was listed.
            known = await host.registry.observe(record.file_id, head)
            return record, ChildFile(
                name=entry.name,
                url="",
                version=known.version,
                size=known.size_bytes,
                last_modified_time=format_us(known.last_modified_us),
            )

    found = [pair for pair in await asyncio.gather(*map(look, files)) if pair is not None]
    containers = [await _register(host, folder, folder.child(e.name)) for e in folders]
    records = [record for record, _ in found]
    urls = await _urls(host, opened.admission, [*containers, *records])
    return Children(
        [Pointer(e.name, url) for e, url in zip(folders, urls, strict=False)],
        [
            msgspec.structs.replace(child, url=url)
            for (_, child), url in zip(found, urls[len(folders) :], strict=True)
        ],
    )


async def ancestors(host: Host, request: EditorRequest) -> list[Pointer]:
    """Return the containers above a file or container, the root first."""
    admission = await admit(host, request, Purpose.CHECK)
    session = admission.session
    require(session, Right.LIST)
    path = admission.file.path.rstrip("/")
    if path == session.root or not reaches(session, admission.file):
        return []
    folder = await folder_of(host, admission.file, session.root)
    above = [session.root]
    start = len(session.root) + 1 if session.root else 0
    for position, character in enumerate(path):
        if character == "/" and position >= start:
            above.append(StoragePath(path[:position]))
    records = [await _register(host, folder, p) for p in above]
    urls = await _urls(host, admission, records)
    return [Pointer(container_name(session, p), url) for p, url in zip(above, urls, strict=True)]


async def root_container(
    host: Host, request: EditorRequest
) -> tuple[Admission, Pointer, dict[str, object]]:
    """Return the container above which nothing may be seen.

    Raises:
        UnsupportedOperationError: the session sees no containers.
    """
    admission = await admit(host, request, Purpose.CHECK)
    session = admission.session
    require(session, Right.LIST)
    folder = await folder_of(host, admission.file, session.root)
    record = await _register(host, folder, session.root)
    url = (await _urls(host, admission, [record]))[0]
    pointer = Pointer(container_name(session, session.root), url)
    return admission, pointer, container_info(session, folder, is_root=True)


async def _register(host: Host, folder: Folder, path: StoragePath) -> FileRecord:
    slashed = StoragePath(f"{path}/")
    return await host.registry.register(folder.tenant_id, folder.storage_name, slashed)


async def _urls(host: Host, admission: Admission, records: Sequence[FileRecord]) -> list[str]:
    if not records:
        return []
    folders = [r.file_id for r in records if r.is_folder]
    files = [r.file_id for r in records if not r.is_folder]
    tokens: dict[FileId, str] = {}
    for grant, ids in ((Grant.CONTAINER, folders), (Grant.LISTED, files)):
        if ids:
            traded = await host.trader.trade(
                admission.session.session_id, ids, grant, address=admission.asker.editor
            )
            tokens |= zip(ids, traded.tokens, strict=True)
    return [
        f"{host.src_url}/wopi/{'containers' if record.is_folder else 'files'}/{record.file_id}"
        f"?access_token={tokens[record.file_id]}"
        for record in records
    ]


async def _count(folder: Folder, path: StoragePath, budget: list[int]) -> None:
    for entry in await folder.backend.list_folder(path, limit=RENAMED_MAX + 1):
        budget[0] -= 1
        if budget[0] < 0:
            raise ConflictError("Too much lies in this container to rename it.")
        if entry.is_folder:
            await _count(folder, StoragePath(f"{path}/{entry.name}"), budget)


async def _move_folder(
    host: Host, opened: Opened, source: StoragePath, target: StoragePath
) -> None:
    folder = opened.folder
    if not await folder_exists(folder.backend, target):
        await folder.backend.make_folder(target)
    for entry in await folder.backend.list_folder(source, limit=RENAMED_MAX):
        inner = StoragePath(f"{source}/{entry.name}")
        moved = StoragePath(f"{target}/{entry.name}")
        if entry.is_folder:
            await _move_folder(host, opened, inner, moved)
            continue
        record = await host.registry.register(folder.tenant_id, folder.storage_name, inner)
        await host.mover.move(
            record,
            moved,
            lock_id=None,
            session_id=opened.session.session_id,
            deadline_s=host.deadline(LOCK_PATIENCE_S),
            ignores_lock=True,
        )
    await host.mover.relabel(await _register(host, folder, source), StoragePath(f"{target}/"))
    await folder.backend.remove_folder(source)


async def _taken(folder: Folder, name: str) -> NameTakenError:
    return NameTakenError(
        "There is something of that name already.",
        free_name=await free_name(folder, name, is_folder=True),
    )


def _require_below_root(opened: Opened) -> None:
    if opened.is_root:
        raise UnauthenticatedError("A session may not change its own root container.")


def _extension(entry: FolderEntry) -> str:
    return extension_of(entry.name)
