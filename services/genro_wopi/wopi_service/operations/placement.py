"""Finding a name for a new file or container, and storing its first bytes."""

from typing import Final

import msgspec

from genro_wopi.domain.commit import Commit
from genro_wopi.domain.errors import (
    InvalidNameError,
    NameTakenError,
    NotFoundError,
    UnavailableError,
)
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import TenantId, new_save_id
from genro_wopi.domain.paths import StoragePath, segment_problem
from genro_wopi.domain.saves import FileMovedError, Save
from genro_wopi.domain.storages import Body, HeadChangedError, StorageBackend
from genro_wopi.protocol.file_name import FALLBACK, decode_name, numbered, repaired
from genro_wopi.wopi_service.operations.host import SAVE_PATIENCE_S, Host

NUMBERS_MAX: Final = 200
"""How many numbered names are tried before the client is asked to choose another one."""


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of a storage in which something new is put."""

    tenant_id: TenantId
    storage_name: str
    path: StoragePath
    """Empty for the storage's own folder."""
    backend: StorageBackend

    def child(self, name: str) -> StoragePath:
        """Return the path of something in the folder."""
        return StoragePath(f"{self.path}/{name}" if self.path else name)


async def folder_of(host: Host, file: FileRecord, path: StoragePath) -> Folder:
    """Open a folder of the storage in which a file lies."""
    storage = await host.directory.storage(file.tenant_id, file.storage_name)
    return Folder(
        tenant_id=file.tenant_id,
        storage_name=file.storage_name,
        path=path,
        backend=await host.storages.open(storage),
    )


def exact_name(header: str) -> str:
    """Read a name that must be used as it is.

    Raises:
        InvalidNameError: it is none; a similar one that can be used is offered.
    """
    name = decode_name(header)
    if name is None:
        raise InvalidNameError("The name is not UTF-7 of at most 512 characters.")
    problem = segment_problem(name)
    if problem or name != name.strip():
        offered = usable_name(name)
        raise InvalidNameError(
            f"Not a file name: {problem or 'it begins or ends with a space'}.", valid_name=offered
        )
    return name


def usable_name(wanted: str) -> str:
    """Make a name that every storage takes of whatever is wanted; never one of the host's own."""
    name = repaired(wanted)
    return FALLBACK if segment_problem(name) else name


async def free_name(folder: Folder, wanted: str, *, is_folder: bool = False) -> str:
    """Return the wanted name, or the first numbered one that nothing has.

    Raises:
        NameTakenError: too many are taken.
    """
    for number in range(NUMBERS_MAX):
        name = numbered(wanted, number)
        if not await is_taken(folder, name, is_folder=is_folder):
            return name
    raise NameTakenError("There are too many of this name; choose another one.")


async def is_taken(folder: Folder, name: str, *, is_folder: bool = False) -> bool:
    """Tell whether a file, or a folder where one is asked for, has this name."""
    if await folder.backend.node(folder.child(name)).stat() is not None:
        return True
    return is_folder and await folder_exists(folder.backend, folder.child(name))


async def folder_exists(backend: StorageBackend, path: StoragePath) -> bool:
    """Tell whether there is a folder."""
    try:
        await backend.list_folder(path, limit=1)
    except NotFoundError:
        return False
    return True


async def store_new(host: Host, folder: Folder, wanted: str, body: Body) -> FileRecord:
    """Store a new file under the wanted name, or a numbered one where that is taken.

    Raises:
        NameTakenError: too many names are taken.
        UnavailableError, StorageFullError: nothing was stored.
    """
    for number in range(NUMBERS_MAX):
        name = numbered(wanted, number)
        if await is_taken(folder, name):
            continue
        record = await store_exactly(host, folder, name, body)
        if record is not None:
            return record
    raise NameTakenError("There are too many files of this name; choose another one.")


async def store_exactly(
    host: Host, folder: Folder, name: str, body: Body, *, overwrite: bool = False
) -> FileRecord | None:
    """Store a file under exactly this name.

    Returns:
        Its record; None where the name is taken and may not be overwritten.

    Raises:
        UnavailableError, StorageFullError: nothing was stored.
    """
    deadline_s = host.deadline(SAVE_PATIENCE_S)
    while host.clock.monotonic_s() < deadline_s:
        path = folder.child(name)
        record = await host.registry.register(folder.tenant_id, folder.storage_name, path)
        node = folder.backend.node(path)
        expected = await node.stat() if overwrite else None
        save = Save(save_id=new_save_id(), file_id=record.file_id)
        commit = Commit(host.ledger, node, host.clock)
        try:
            await commit.upload(save, body, expected, deadline_s=deadline_s)
        except FileMovedError:
            await host.mover.settled(record.file_id, deadline_s=deadline_s)
            continue
        except HeadChangedError:
            if overwrite:
                continue
            return None
        return record
    raise UnavailableError("Others keep writing this file; try again.")
