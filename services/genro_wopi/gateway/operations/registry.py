"""Checking a storage against the registry, and taking the registry along.

The bytes carry evidence of their file's id. After a loss of Redis the registry is made again from
it: files keep their ids, deleted ones can be taken back, recovery copies are listed.
"""

from collections import deque
from typing import Final

import msgspec

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import HostError, NotFoundError
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import FILE_ID, FileId
from genro_wopi.domain.moves import DELETED
from genro_wopi.domain.paths import StoragePath, parse_path
from genro_wopi.domain.rescues import RECOVERY, Rescue, rescue_note
from genro_wopi.domain.storages import FolderEntry, Storage, StorageBackend
from genro_wopi.domain.tenants import tenant_id_of
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.operations.storages import storage_of
from genro_wopi.management.registry import (
    Finding,
    Problem,
    RegisteredFile,
    RegistryImport,
    RegistryImported,
    RegistryPage,
    RegistryRequest,
    StorageCheck,
    StorageChecked,
)

FOLDERS_MAX: Final = 10_000
"""Folders that wait in a cursor; a tree that is wider is checked below `path` by `path`."""

NOTE_BYTES_MAX: Final = 64 * 1024


class Phase(msgspec.Struct, frozen=True, tag_field="phase"):
    """Where a check is; written into its cursor."""


class Walking(Phase, frozen=True, tag="files"):
    """Among the files of the storage."""

    folders: list[str]
    """The first is being listed."""
    cursor: str = ""


class Registered(Phase, frozen=True, tag="registry"):
    """Among the files of the registry."""

    cursor: str = ""


class Recovered(Phase, frozen=True, tag="recovery"):
    """Among the recovery copies."""

    cursor: str = ""


Place = Walking | Registered | Recovered


async def check_storage(office: Office, caller: Caller, request: StorageCheck) -> StorageChecked:
    """Compare a part of a storage with the registry.

    Raises:
        NotFoundError: there is no such storage.
        StorageFaultError: the storage does not answer.
    """
    storage = await storage_of(office, caller, request.name, request.tenant_id)
    backend = await office.storages.open(storage)
    check = _Check(office, storage, backend, repair=request.repair)
    place = _place(request.cursor)
    if isinstance(place, Walking):
        following = await check.walk(place, request.limit)
    elif isinstance(place, Registered):
        following = await check.registered(place, request.limit)
    else:
        following = await check.recovered(place, request.limit)
    cursor = msgspec.json.encode(following).decode() if following else None
    return StorageChecked(items=check.findings, checked=check.checked, next_cursor=cursor)


def _place(cursor: str) -> Place:
    if not cursor:
        return Walking(folders=["", DELETED])
    try:
        return msgspec.json.decode(cursor, type=Place)
    except msgspec.DecodeError as error:
        raise NotFoundError("This cursor is not one that a check gave; begin again.") from error


class _Check:
    """One part of a check."""

    def __init__(
        self, office: Office, storage: Storage, backend: StorageBackend, *, repair: bool
    ) -> None:
        self._office, self._storage, self._backend = office, storage, backend
        self._repair = repair
        self.findings: list[Finding] = []
        self.checked = 0

    async def walk(self, place: Walking, limit: int) -> Place:
        folders = deque(place.folders)
        folder = StoragePath(folders[0])
        try:
            page = await self._backend.list_page(folder, limit=limit, cursor=place.cursor)
        except NotFoundError:
            folders.popleft()
            return Walking(folders=list(folders)) if folders else Registered()
        for entry in page.entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if not entry.is_folder:
                await self._look(StoragePath(path))
            elif len(folders) < FOLDERS_MAX:
                folders.append(path)
        if not page.cursor:
            folders.popleft()
        return Walking(folders=list(folders), cursor=page.cursor) if folders else Registered()

    async def registered(self, place: Registered, limit: int) -> Place:
        tenant_id = self._storage.tenant_id
        records, cursor = await self._office.registry.page(
            tenant_id, cursor=place.cursor, limit=limit
        )
        for record in records:
            if record.storage_name == self._storage.name and not record.is_folder:
                await self._expect(record)
        return Registered(cursor=cursor) if cursor else Recovered()

    async def recovered(self, place: Recovered, limit: int) -> Place | None:
        try:
            page = await self._backend.list_page(RECOVERY, limit=limit, cursor=place.cursor)
        except NotFoundError:
            return None
        for entry in page.entries:
            if not entry.name.endswith(rescue_note("")):
                await self._expect_listed(entry)
        return Recovered(cursor=page.cursor) if page.cursor else None

    async def _look(self, path: StoragePath) -> None:
        """Compare one file of the storage with what the registry has for its path and its id."""
        self.checked += 1
        office, storage = self._office, self._storage
        head = await self._backend.node(path).stat()
        if head is None:
            return
        is_deleted = path.startswith(f"{DELETED}/")
        named = _file_id(head.evidence.file_id if head.evidence else "")
        known = await office.registry.find(storage.tenant_id, storage.name, path)
        if known is None and is_deleted:
            named = _file_id(path.removeprefix(f"{DELETED}/").partition("-")[2].partition("/")[0])
            if named:
                await self._adopt(named, path, Problem.DELETED)
        elif known is None and named:
            await self._adopt(named, path, Problem.UNREGISTERED)
        elif known is not None and named and known != named:
            self._note(Problem.OTHER_ID, path, known)
        elif known is not None and not is_deleted:
            record = await office.registry.record(known)
            seen = record.head.fingerprint if record and record.head else head.fingerprint
            if seen != head.fingerprint:
                if self._repair:
                    await office.registry.observe(known, head)
                self._note(Problem.OUTDATED, path, known, repaired=self._repair)

    async def _adopt(self, file_id: FileId, path: StoragePath, problem: Problem) -> None:
        repaired = False
        if self._repair:
            place = (self._storage.tenant_id, self._storage.name, path)
            repaired = await self._office.registry.adopt(file_id, *place)
            head = await self._backend.node(path).stat() if repaired else None
            if head is not None:
                await self._office.registry.observe(file_id, head)
        self._note(problem, path, file_id, repaired=repaired)

    async def _expect(self, record: FileRecord) -> None:
        """Look for a registered file; where it is gone, its place is given free."""
        self.checked += 1
        if record.moving_to or await self._backend.node(record.path).stat() is not None:
            return
        if self._repair:
            await self._office.registry.forget(record)
        self._note(Problem.MISSING, record.path, record.file_id, repaired=self._repair)

    async def _expect_listed(self, entry: FolderEntry) -> None:
        self.checked += 1
        rescues, tenant_id = self._office.rescues, self._storage.tenant_id
        if await rescues.get(tenant_id, entry.name) is not None:
            return
        rescue = await self._noted(entry.name)
        if rescue is not None and self._repair:
            own = msgspec.structs.replace(
                rescue, tenant_id=tenant_id, storage_name=self._storage.name
            )
            await rescues.put(own)
        repaired = rescue is not None and self._repair
        path = rescue.file_path if rescue else f"{RECOVERY}/{entry.name}"
        self._note(Problem.RECOVERY, path, rescue.file_id if rescue else "", repaired=repaired)

    async def _noted(self, rescue_id: str) -> Rescue | None:
        """Read the note beside a recovery copy."""
        received = bytearray()
        try:
            node = self._backend.node(StoragePath("note"))
            async with node.open_rescued(rescue_note(rescue_id)) as chunks:
                async for chunk in chunks:
                    received += chunk
                    if len(received) > NOTE_BYTES_MAX:
                        return None
            return msgspec.json.decode(received, type=Rescue)
        except (HostError, msgspec.DecodeError):
            return None

    def _note(self, problem: Problem, path: str, file_id: str, *, repaired: bool = False) -> None:
        self.findings.append(
            Finding(problem=problem, path=path, file_id=file_id, repaired=repaired)
        )


def _file_id(text: str) -> FileId:
    """Read what a storage names; empty where it is no id of ours."""
    return FileId(text if FILE_ID.fullmatch(text) else "")


async def export_registry(office: Office, caller: Caller, request: RegistryRequest) -> RegistryPage:
    """Export some of a tenant's files with their ids."""
    tenant = await tenant_id_of(office.tenants, caller, request.tenant_id)
    records, cursor = await office.registry.page(tenant, cursor=request.cursor, limit=request.limit)
    items = [
        RegisteredFile(file_id=r.file_id, storage_name=r.storage_name, path=r.path)
        for r in records
        if not r.is_deleted
    ]
    return RegistryPage(items=items, next_cursor=cursor or None)


async def import_registry(
    office: Office, caller: Caller, request: RegistryImport
) -> RegistryImported:
    """Give files the ids that they had elsewhere, or before.

    Raises:
        InvalidFieldsError: a path leaves its storage; nothing was imported.
    """
    tenant = await tenant_id_of(office.tenants, caller, request.tenant_id)
    places = [(item, parse_path(item.path.rstrip("/"), field="path")) for item in request.items]
    refused: list[RegisteredFile] = []
    for item, path in places:
        place = StoragePath(f"{path}/") if item.path.endswith("/") else path
        adopted = await office.registry.adopt(
            FileId(item.file_id), tenant, item.storage_name, place
        )
        if not adopted:
            refused.append(item)
    return RegistryImported(imported=len(places) - len(refused), refused=refused)
