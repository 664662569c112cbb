"""Renaming and deleting: a file changes its place and keeps its id, its lock and its history.

The registry and the storage cannot change in one step, so a move is noted first:

1. the target's path is claimed in the registry, so that no other file gets it;
2. `MoveLedger.begin` checks the lock and notes the move; from then on no save begins;
3. the storage moves the bytes with their evidence;
4. `MoveLedger.finish` registers the new place and announces it; the old path is released.

Whoever finds a note whose mover is dead goes on with step 3. A file that is deleted moves among the
deleted ones, where it can be taken back.
"""

import asyncio
from enum import Enum, auto
from typing import Final, Protocol

import msgspec

from genro_wopi.domain.clock import Clock
from genro_wopi.domain.errors import AlreadyExistsError, NotFoundError, UnavailableError
from genro_wopi.domain.files import MOMENT_US_MAX, FileRecord, FileRegistry
from genro_wopi.domain.identifiers import FileId, SessionId, TenantId
from genro_wopi.domain.paths import PATH_SIZE_BYTES_MAX, RESERVED_SEGMENT, StoragePath, base_name
from genro_wopi.domain.storages import StorageBackend, StorageOpener
from genro_wopi.domain.tenants import Directory
from genro_wopi.protocol.lock_id import LockId

MOVER_LIFE_MS: Final = 30_000
"""A mover that took longer is dead: a copy inside a store is a matter of seconds."""

_POLL_S: Final = 0.1


class MoveBegun(Enum):
    """What `begin` answers where no lock is in the way."""

    NOTED = auto()
    BUSY = auto()
    """A save is under way, or another move."""


class MoveLedger(Protocol):
    """What Redis remembers of moves. Every method is safe to run twice."""

    async def claim(self, record: FileRecord, path: StoragePath) -> bool:
        """Give the file a second path; False where the path is another file's."""
        ...

    async def release(self, record: FileRecord, path: StoragePath) -> None:
        """Take a path away from the file."""
        ...

    async def begin(
        self,
        file_id: FileId,
        target: StoragePath,
        *,
        lock_id: LockId | None,
        session_id: SessionId,
        ignores_lock: bool,
    ) -> MoveBegun:
        """Note a move, if the lock allows it and no save is under way. MUST be atomic.

        Raises:
            LockMismatchError: another lock holds the file.
            NotFoundError: the file is not registered.
        """
        ...

    async def finish(
        self, file_id: FileId, session_id: SessionId, target: StoragePath, fingerprint: str
    ) -> bool:
        """Register the new place and announce it, once."""
        ...

    async def take_over(self, file_id: FileId, target: StoragePath) -> bool:
        """Go on with a move whose mover is dead; False while it is alive, or when it is over."""
        ...

    async def call_off(self, file_id: FileId, target: StoragePath) -> None:
        """Forget a move that did not happen."""
        ...


class Mover(msgspec.Struct, frozen=True, kw_only=True):
    """Moves files over a registry, its notes, and the storages."""

    registry: FileRegistry
    ledger: MoveLedger
    directory: Directory
    storages: StorageOpener
    clock: Clock

    async def move(
        self,
        record: FileRecord,
        target: StoragePath,
        *,
        lock_id: LockId | None,
        session_id: SessionId,
        deadline_s: float,
        ignores_lock: bool = False,
    ) -> None:
        """Move a file to a path where nothing lies.

        Args:
            record: the file.
            target: its new path.
            lock_id: what the request shows.
            session_id: who asks; its events tell.
            deadline_s: monotonic time until which saves under way are waited for.
            ignores_lock: the folder around the file is renamed, whoever edits it.

        Raises:
            AlreadyExistsError: something lies at the target, or is being moved there.
            LockMismatchError: another lock holds the file.
            NotFoundError: the file is gone.
            UnavailableError: saves under way did not end, or the storage does not answer.
        """
        backend = await self._backend(record.tenant_id, record.storage_name)
        if not await self.ledger.claim(record, target):
            raise AlreadyExistsError("The name is taken.")
        try:
            await self._begin(record, target, lock_id, session_id, deadline_s, ignores_lock)
        except BaseException:
            await self.ledger.release(record, target)
            raise
        await self._carry_out(backend, record, target, session_id, resumed=False)

    async def delete(
        self,
        record: FileRecord,
        *,
        lock_id: LockId | None,
        session_id: SessionId,
        deadline_s: float,
    ) -> None:
        """Move a file among the deleted ones.

        Raises:
            LockMismatchError, NotFoundError, UnavailableError: as `move`.
        """
        target = deleted_path(record, self.clock.now_us())
        await self.move(
            record, target, lock_id=lock_id, session_id=session_id, deadline_s=deadline_s
        )

    async def relabel(self, record: FileRecord, target: StoragePath) -> None:
        """Register another path for a container; the storage has no part in it."""
        if await self.ledger.claim(record, target):
            await self.ledger.begin(
                record.file_id,
                target,
                lock_id=None,
                session_id=SessionId(""),
                ignores_lock=True,
            )
            await self.ledger.finish(record.file_id, SessionId(""), target, "")
            await self.ledger.release(record, record.path)

    async def settled(self, file_id: FileId, *, deadline_s: float) -> FileRecord:
        """Return the record of a file that lies still, finishing a dead mover's work.

        Raises:
            NotFoundError: the file is gone.
            UnavailableError: it still moves at the deadline.
        """
        while True:
            record = await self.registry.record(file_id)
            if record is None or record.is_deleted:
                raise NotFoundError("The file was deleted.")
            if not record.moving_to:
                return record
            if await self.ledger.take_over(file_id, record.moving_to):
                await self._go_on(record)
                continue
            if self.clock.monotonic_s() + _POLL_S > deadline_s:
                raise UnavailableError("The file is being moved; try again.")
            await asyncio.sleep(_POLL_S)

    async def _begin(
        self,
        record: FileRecord,
        target: StoragePath,
        lock_id: LockId | None,
        session_id: SessionId,
        deadline_s: float,
        ignores_lock: bool,  # noqa: FBT001 - of `move`
    ) -> None:
        while (
            await self.ledger.begin(
                record.file_id,
                target,
                lock_id=lock_id,
                session_id=session_id,
                ignores_lock=ignores_lock,
            )
            is MoveBegun.BUSY
        ):
            if self.clock.monotonic_s() + _POLL_S > deadline_s:
                raise UnavailableError("A save of this file is under way; try again.")
            await asyncio.sleep(_POLL_S)

    async def _go_on(self, record: FileRecord) -> None:
        target = record.moving_to
        if record.is_folder:
            await self.ledger.finish(record.file_id, record.moved_by, target, "")
            return
        if not await self.ledger.claim(record, target):
            await self.ledger.call_off(record.file_id, target)
            return
        backend = await self._backend(record.tenant_id, record.storage_name)
        try:
            await self._carry_out(backend, record, target, record.moved_by, resumed=True)
        except (AlreadyExistsError, NotFoundError):
            return  # Called off: the file lies where it lay, or is gone.

    async def _carry_out(
        self,
        backend: StorageBackend,
        record: FileRecord,
        target: StoragePath,
        session_id: SessionId,
        *,
        resumed: bool,
    ) -> None:
        """Do steps 3 and 4; where the outcome stays unclear, the next request settles it."""
        try:
            head = await backend.move(record.path, target, resumed=resumed)
        except AlreadyExistsError:
            await self._call_off(record, target)
            raise
        except NotFoundError:
            head = await backend.node(target).stat()
            if head is None:
                await self._call_off(record, target)
                raise
        await self.ledger.finish(record.file_id, session_id, target, head.fingerprint)
        await self.ledger.release(record, record.path)

    async def _call_off(self, record: FileRecord, target: StoragePath) -> None:
        await self.ledger.call_off(record.file_id, target)
        await self.ledger.release(record, target)

    async def _backend(self, tenant_id: TenantId, storage_name: str) -> StorageBackend:
        return await self.storages.open(await self.directory.storage(tenant_id, storage_name))


DELETED: Final = f"{RESERVED_SEGMENT}/deleted"
"""Where deleted files lie until their time is over: when, which, and where it lay."""


def deleted_path(record: FileRecord, moment_us: int) -> StoragePath:
    """Name the place of a deleted file; where it lay is part of it, as far as there is room."""
    place = f"{DELETED}/{moment_us}-{record.file_id}"
    whole = f"{place}/{record.path}"
    if len(whole.encode()) > PATH_SIZE_BYTES_MAX:
        whole = f"{place}/{base_name(record.path)}"
    return StoragePath(whole)


def deleted_at_us(path: StoragePath) -> int:
    """Return when a deleted file was deleted."""
    moment = path.removeprefix(f"{DELETED}/").partition("-")[0]
    is_moment = moment.isascii() and moment.isdigit() and len(moment) <= len(str(MOMENT_US_MAX))
    return min(int(moment), MOMENT_US_MAX) if is_moment else 0


def original_path(path: StoragePath) -> StoragePath:
    """Return where a deleted file lay."""
    return StoragePath(path.removeprefix(f"{DELETED}/").partition("/")[2])
