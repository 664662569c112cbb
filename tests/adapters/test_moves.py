"""Moves over a real Redis and folder: what a mover that dies leaves is finished by others."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from genro_wopi.adapters.redis import move_ledger
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.move_ledger import RedisMoveLedger
from genro_wopi.adapters.storage.local import LocalStorage
from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.commit import Commit
from genro_wopi.domain.errors import LockMismatchError, NotFoundError, UnavailableError
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import SessionId, TenantId, new_save_id, partition_of
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.moves import Mover
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.places import Place as StoragePlace
from genro_wopi.domain.saves import FileMovedError, Save
from genro_wopi.domain.sessions import Session
from genro_wopi.domain.storages import Storage, StorageProtocol
from genro_wopi.domain.tenants import Tenant
from genro_wopi.protocol.lock_id import LockId
from tests.support.world import World

OLD, NEW = StoragePath("a.txt"), StoragePath("b.txt")


@dataclass
class OneStorage:
    """The storage and its configuration, whichever is asked for."""

    backend: LocalStorage

    async def open(self, storage: Storage) -> LocalStorage:
        del storage
        return self.backend

    async def place(self, storage: Storage) -> StoragePlace:
        return StoragePlace(name=storage.name, is_own=True)

    async def tenant(self, tenant_id: TenantId) -> Tenant:
        raise NotFoundError(tenant_id)

    async def storage(
        self, tenant_id: TenantId, name: str, *, even_suspended: bool = False
    ) -> Storage:
        del even_suspended
        return Storage(
            tenant_id=tenant_id,
            name=name,
            protocol=StorageProtocol.LOCAL,
            config={},
            sealed={},
            revision=1,
            created_us=0,
            updated_us=0,
        )


class Place:
    """A file in a folder, its session, and a mover."""

    def __init__(self, redis: RedisClient, root: Path) -> None:
        self.world = World(redis)
        self.backend = LocalStorage(root)
        self.ledger = RedisMoveLedger(redis)
        one = OneStorage(self.backend)
        self.mover = Mover(
            registry=self.world.registry,
            ledger=self.ledger,
            directory=one,
            storages=one,
            clock=SystemClock(),
        )

    async def file(self) -> tuple[FileRecord, Session]:
        record = await self.world.file(seen=False)
        commit = Commit(self.world.ledger, self.backend.node(OLD), SystemClock())
        upload = save(record, SessionId(""), "")
        await commit.upload(upload, MemoryBody(b"one"), None, deadline_s=soon())
        return record, await self.world.session(record)

    async def move(self, record: FileRecord, session: Session, lock: str = "") -> None:
        await self.mover.move(
            record,
            NEW,
            lock_id=LockId(lock) if lock else None,
            session_id=session.session_id,
            deadline_s=soon(0.3),
        )


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


def save(record: FileRecord, session_id: SessionId, lock: str) -> Save:
    return Save(
        save_id=new_save_id(),
        file_id=record.file_id,
        session_id=session_id,
        session_created_us=time.time_ns() // 1000,
        holder="Anna",
        lock_id=LockId(lock) if lock else None,
        timestamp=None,
        attempt=0,
        one_process_per_document=False,
        is_autosave=False,
        is_exit_save=False,
        is_modified_by_user=None,
        editors=(),
    )


@pytest.fixture
def place(redis: RedisClient, root: Path) -> Place:
    return Place(redis, root)


async def test_a_moved_file_is_found_by_its_id_and_its_new_path(place: Place) -> None:
    record, session = await place.file()
    await place.move(record, session)
    moved = await place.mover.settled(record.file_id, deadline_s=soon())
    assert moved.path == NEW
    assert (moved.head and moved.head.version) is not None
    found = await place.world.registry.find(record.tenant_id, record.storage_name, NEW)
    assert found == record.file_id
    assert await place.world.registry.find(record.tenant_id, record.storage_name, OLD) is None


async def test_a_lock_must_be_shown(place: Place) -> None:
    record, session = await place.file()
    await place.world.locks.lock(place.world.lock(session, "L"), deadline_s=0)
    with pytest.raises(LockMismatchError):
        await place.move(record, session)
    await place.move(record, session, "L")


async def test_a_move_waits_for_a_save_under_way(place: Place) -> None:
    record, session = await place.file()
    under_way = save(record, session.session_id, "")
    await place.world.ledger.begin(under_way, deadline_s=soon())
    with pytest.raises(UnavailableError):
        await place.move(record, session)
    assert (await place.mover.settled(record.file_id, deadline_s=soon())).path == OLD
    found = await place.world.registry.find(record.tenant_id, record.storage_name, NEW)
    assert found is None


async def test_no_save_begins_while_the_file_moves(place: Place) -> None:
    record, session = await place.file()
    await place.ledger.begin(
        record.file_id, NEW, lock_id=None, session_id=session.session_id, ignores_lock=False
    )
    commit = Commit(place.world.ledger, place.backend.node(OLD), SystemClock())
    with pytest.raises(FileMovedError):
        await commit.put_file(
            save(record, session.session_id, ""), MemoryBody(b"two"), deadline_s=soon()
        )


@pytest.mark.parametrize("bytes_moved", [False, True])
async def test_what_a_dead_mover_left_is_finished_and_announced(
    place: Place, monkeypatch: pytest.MonkeyPatch, bytes_moved: bool
) -> None:
    record, session = await place.file()
    monkeypatch.setattr(move_ledger, "MOVER_LIFE_MS", 1)
    await place.ledger.begin(
        record.file_id, NEW, lock_id=None, session_id=session.session_id, ignores_lock=False
    )
    if bytes_moved:
        await place.backend.move(OLD, NEW)
    await asyncio.sleep(0.01)
    moved = await place.mover.settled(record.file_id, deadline_s=soon())
    assert (moved.path, moved.moving_to) == (NEW, "")
    assert await place.backend.node(OLD).stat() is None
    head = await place.backend.node(NEW).stat()
    assert head is not None
    assert head.evidence is not None
    stream = await place.world.redis.call("XRANGE", events_of(place, record), "-", "+")
    names = [dict(zip(e[1][::2], e[1][1::2], strict=True))[b"name"] for e in stream]
    assert names.count(b"document_renamed") == 1


async def test_a_move_that_cannot_happen_is_called_off(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, session = await place.file()
    monkeypatch.setattr(move_ledger, "MOVER_LIFE_MS", 1)
    await place.ledger.begin(
        record.file_id, NEW, lock_id=None, session_id=session.session_id, ignores_lock=False
    )
    (place.backend.root / NEW).write_bytes(b"another program's")
    await asyncio.sleep(0.01)
    settled = await place.mover.settled(record.file_id, deadline_s=soon())
    assert (settled.path, settled.moving_to) == (OLD, "")
    assert (place.backend.root / NEW).read_bytes() == b"another program's"


async def test_a_deleted_file_lies_among_the_deleted_ones(place: Place) -> None:
    record, session = await place.file()
    await place.mover.delete(record, lock_id=None, session_id=session.session_id, deadline_s=soon())
    with pytest.raises(NotFoundError):
        await place.mover.settled(record.file_id, deadline_s=soon())
    kept = list((place.backend.root / ".genro-wopi" / "deleted").rglob("a.txt"))
    assert [p.read_bytes() for p in kept] == [b"one"]


def events_of(place: Place, record: FileRecord) -> str:
    return f"wopi:{{{partition_of(record.file_id):02x}}}:events"
