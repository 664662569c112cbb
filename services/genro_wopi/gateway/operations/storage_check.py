"""Checking a storage against the registry.

The bytes carry evidence of their file's id. After a loss of Redis the registry is made again from
it: files keep their ids, deleted ones can be taken back, recovery copies are listed.

What lies in the storage is input (see `genro_wopi.domain.record_owner`). Records that do not count,
names that cannot be addressed and answers that cannot be are findings; the check goes on.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.cursors import PLAIN_SIZE_MAX, open_cursor, seal_cursor
from genro_wopi.domain.errors import InvalidFieldsError, NotFoundError
from genro_wopi.domain.files import FileRecord, Head
from genro_wopi.domain.identifiers import FILE_ID, FileId
from genro_wopi.domain.moves import DELETED
from genro_wopi.domain.paths import StoragePath, parse_path
from genro_wopi.domain.rescues import (
    NOTE_BYTES_MAX,
    RECOVERY,
    BadNoteError,
    Rescue,
    read_note,
    rescue_note,
)
from genro_wopi.domain.storages import (
    FolderEntry,
    FolderPage,
    OddAnswerError,
    Storage,
    StorageBackend,
)
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.operations.storages import storage_of
from genro_wopi.management.registry import (
    FILES_AT_ONCE,
    Finding,
    Problem,
    StorageCheck,
    StorageChecked,
)

Text = Annotated[str, Meta(max_length=4096)]


class Phase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="phase"):
    """Where a check is; sealed into its cursor."""


class Level(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One folder on the way to where a check is."""

    name: Text
    """Empty for the root."""
    page: Text = ""
    """Which part of its list is looked at, as the storage names it."""
    after: Text = ""
    """The last name in that part that was looked at."""


class Walking(Phase, frozen=True, forbid_unknown_fields=True, tag="files"):
    """Among the files of the storage, or the deleted ones."""

    levels: Annotated[list[Level], Meta(min_length=1)]
    is_among_deleted: bool = False


class Registered(Phase, frozen=True, forbid_unknown_fields=True, tag="registry"):
    """Among the files of the registry."""

    cursor: Text = ""


class Recovered(Phase, frozen=True, forbid_unknown_fields=True, tag="recovery"):
    """Among the recovery copies."""

    cursor: Text = ""


Place = Walking | Registered | Recovered

SAMPLED: Final = 50
"""Files that the doctor looks at."""

_place: Final = msgspec.json.Decoder(Place)
_START: Final = Walking([Level("")])


async def check_storage(office: Office, caller: Caller, request: StorageCheck) -> StorageChecked:
    """Compare a part of a storage with the registry.

    Raises:
        NotFoundError: there is no such storage.
        InvalidFieldsError: the cursor is not one that a check of this storage gave.
        StorageFaultError: the storage does not answer.
    """
    storage = await storage_of(office, caller, request.name, request.tenant_id)
    context = f"storages.fsck/{storage.tenant_id}/{storage.name}"
    opened = open_cursor(office.ring, request.cursor, context=context)
    place = _place.decode(opened) if opened else _START
    backend = await office.storages.open(storage)
    check = StorageExamination(
        office, storage, backend, repair=request.repair, may_widen=caller.is_admin
    )
    following = await check.go_on(place, request.limit)
    plain = msgspec.json.encode(following).decode() if following else ""
    cursor = seal_cursor(office.ring, plain, context=context)
    return StorageChecked(items=check.findings, checked=check.checked, next_cursor=cursor or None)


class StorageExamination:
    """One part of a check."""

    def __init__(
        self,
        office: Office,
        storage: Storage,
        backend: StorageBackend,
        *,
        repair: bool,
        may_widen: bool = False,
    ) -> None:
        self._office, self._storage, self._backend = office, storage, backend
        self._repair = repair
        self._may_widen = may_widen
        self.findings: list[Finding] = []
        self.checked = 0

    async def go_on(self, place: Place, limit: int) -> Place | None:
        """Look at about so many files from a place on; return where to go on."""
        if isinstance(place, Walking):
            return await self._walk(place, limit)
        if isinstance(place, Registered):
            return await self._registered(place, limit)
        return await self._recovered(place, limit)

    async def _walk(self, place: Walking, limit: int) -> Place:
        """Go through folders in depth; what remains is the way down to the last name."""
        root = DELETED if place.is_among_deleted else ""
        levels, pages = list(place.levels), list[FolderPage | None]()
        for _ in range(limit):
            pages += [None] * (len(levels) - len(pages))
            folder = "/".join(filter(None, (root, *(level.name for level in levels))))
            page = pages[-1]
            if page is None:
                page = pages[-1] = await self._page(StoragePath(folder), levels[-1].page)
            entry = next((e for e in page.entries if e.name > levels[-1].after), None)
            if entry is None and page.cursor:
                levels[-1] = Level(levels[-1].name, page.cursor)
                pages[-1] = None
            elif entry is None:
                levels.pop()
                pages.pop()
                if not levels:
                    break
            else:
                levels[-1] = msgspec.structs.replace(levels[-1], after=entry.name)
                path = f"{folder}/{entry.name}" if folder else entry.name
                if not entry.is_folder:
                    await self._looked(StoragePath(path))
                elif self._has_room(levels, path):
                    levels.append(Level(entry.name))
        if levels:
            return Walking(levels, place.is_among_deleted)
        return (
            Registered() if place.is_among_deleted else Walking([Level("")], is_among_deleted=True)
        )

    def _has_room(self, levels: list[Level], path: str) -> bool:
        """Tell whether a folder can be looked into: the way to it must fit into a cursor."""
        if len(msgspec.json.encode(levels)) + len(path) < PLAIN_SIZE_MAX:
            return True
        self._note(Problem.TOO_DEEP, path, "")
        return False

    async def _page(self, folder: StoragePath, cursor: str) -> FolderPage:
        try:
            page = await self._backend.list_page(folder, limit=FILES_AT_ONCE, cursor=cursor)
        except NotFoundError:
            return FolderPage([], "")
        except OddAnswerError:
            self._note(Problem.UNREADABLE, folder, "")
            return FolderPage([], "")
        return FolderPage(sorted(page.entries, key=lambda e: e.name), page.cursor)

    async def _registered(self, place: Registered, limit: int) -> Place:
        tenant_id = self._storage.tenant_id
        records, cursor = await self._office.registry.page(
            tenant_id, cursor=place.cursor, limit=limit
        )
        for record in records:
            if record.storage_name == self._storage.name and not record.is_folder:
                await self._expect(record)
        return Registered(cursor) if cursor else Recovered()

    async def _recovered(self, place: Recovered, limit: int) -> Place | None:
        """Look at some recovery copies; None where these were the last."""
        page = await self._page(RECOVERY, place.cursor)
        names = {entry.name for entry in page.entries}
        for entry in page.entries:
            if not entry.is_folder and not entry.name.endswith(rescue_note("")):
                await self._expect_listed(entry, names)
        del limit  # A copy costs little, and a part of a list is the least that can be named.
        return Recovered(page.cursor) if page.cursor else None

    async def _looked(self, path: StoragePath) -> None:
        """Look at one file; what is odd about it is a finding, and the check goes on."""
        self.checked += 1
        try:
            head = await self._backend.node(path).stat()
        except OddAnswerError:
            self._note(Problem.UNREADABLE, path, "")
            return
        if head is None:
            return
        if head.has_bad_record:
            self._note(Problem.BAD_RECORD, path, "")
        await self._compare(path, head)

    async def _compare(self, path: StoragePath, head: Head) -> None:
        """Compare one file with what the registry has for its path and its id."""
        office, storage = self._office, self._storage
        is_deleted = path.startswith(f"{DELETED}/")
        named = _file_id(head.evidence.file_id if head.evidence else "")
        known = await office.registry.find(storage.tenant_id, storage.name, path)
        if known is None and is_deleted:
            if head.evidence is None and storage.own_records_only:
                return  # Another tenant's, from before.
            named = _file_id(path.removeprefix(f"{DELETED}/").partition("-")[2].partition("/")[0])
            if named and self._is_deleted_path(path):
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

    def _is_deleted_path(self, path: StoragePath) -> bool:
        """Tell whether a path among the deleted ones says where its file lay."""
        try:
            parse_path(path.removeprefix(f"{DELETED}/").partition("/")[2])
        except InvalidFieldsError:
            return False
        return True

    async def _adopt(self, file_id: FileId, path: StoragePath, problem: Problem) -> None:
        repaired = False
        if self._repair:
            place = (self._storage.tenant_id, self._storage.name, path)
            repaired = await self._office.registry.adopt(file_id, *place, may_widen=self._may_widen)
            head = await self._backend.node(path).stat() if repaired else None
            if head is not None:
                await self._office.registry.observe(file_id, head)
        self._note(problem, path, file_id, repaired=repaired)

    async def _expect(self, record: FileRecord) -> None:
        """Look for a registered file; where it is gone, its place is given free."""
        self.checked += 1
        try:
            if record.moving_to or await self._backend.node(record.path).stat() is not None:
                return
        except OddAnswerError:
            self._note(Problem.UNREADABLE, record.path, record.file_id)
            return
        if self._repair:
            await self._office.registry.forget(record)
        self._note(Problem.MISSING, record.path, record.file_id, repaired=self._repair)

    async def _expect_listed(self, entry: FolderEntry, names: set[str]) -> None:
        """Look at one recovery copy that Redis may not know of."""
        self.checked += 1
        rescues, tenant_id = self._office.rescues, self._storage.tenant_id
        if await rescues.get(tenant_id, entry.name) is not None:
            return
        try:
            rescue = await self._noted(entry, names)
        except BadNoteError:
            self._note(Problem.BAD_RECORD, f"{RECOVERY}/{entry.name}", "")
            return
        if self._repair:
            await rescues.put(rescue)
        self._note(Problem.RECOVERY, rescue.file_path, rescue.file_id, repaired=self._repair)

    async def _noted(self, entry: FolderEntry, names: set[str]) -> Rescue:
        """Read the note beside a recovery copy; only its bytes say how many they are."""
        if rescue_note(entry.name) not in names:
            raise BadNoteError("it has no note")
        received = bytearray()
        try:
            node = self._backend.node(StoragePath("note"))
            async with node.open_rescued(rescue_note(entry.name)) as chunks:
                async for chunk in chunks:
                    received += chunk
                    if len(received) > NOTE_BYTES_MAX:
                        raise BadNoteError("its note is too long")
        except (NotFoundError, OddAnswerError) as error:
            raise BadNoteError("its note cannot be read") from error
        storage = self._storage
        rescue = read_note(
            bytes(received), rescue_id=entry.name, storage_name=storage.name, owner=storage.owner
        )
        record = await self._office.registry.record(rescue.file_id)
        if record is not None and not is_in(record, storage):
            raise BadNoteError("its note names another storage's file")
        return msgspec.structs.replace(rescue, size_bytes=entry.size_bytes)

    def _note(self, problem: Problem, path: str, file_id: str, *, repaired: bool = False) -> None:
        self.findings.append(
            Finding(problem=problem, path=path, file_id=file_id, repaired=repaired)
        )


async def bad_records(office: Office, storage: Storage) -> list[str]:
    """Return paths of records that do not count, among the first files and recovery copies.

    Raises:
        HostError: Redis or the storage is away.
    """
    check = StorageExamination(office, storage, await office.storages.open(storage), repair=False)
    await check.go_on(_START, SAMPLED)
    await check.go_on(Recovered(), SAMPLED)
    return [f.path for f in check.findings if f.problem is Problem.BAD_RECORD]


def is_in(record: FileRecord, storage: Storage) -> bool:
    """Tell whether a file is one of this storage."""
    return (record.tenant_id, record.storage_name) == (storage.tenant_id, storage.name)


def _file_id(text: str) -> FileId:
    """Read what a storage names; empty where it is no id of ours."""
    return FileId(text if FILE_ID.fullmatch(text) else "")
