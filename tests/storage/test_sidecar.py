"""Evidence beside the files: writers that die in between, and programs that do not lock."""

import hashlib
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager

import msgspec
import pytest

from genro_wopi.adapters.storage.plain_store import Hold
from genro_wopi.adapters.storage.sidecar import Latest, SidecarStorage
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.files import Evidence, Head
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.paths import StoragePath, history_folder
from genro_wopi.domain.storages import Body, StorageFaultError
from tests.storage.test_conformance import at, dav_storage, evidence, node_of, read, read_version

pytestmark = pytest.mark.check

PATH = StoragePath("dir/a.txt")


@contextmanager
def dying(storage: SidecarStorage, suffix: str, *, after: bool = False) -> Generator[None]:
    """Let the process die when it puts a path that ends so, before or after it did."""
    put = storage.store.put

    async def dead(path: StoragePath, body: Body, hold: Hold | None = None) -> None:
        if not path.endswith(suffix) or after:
            await put(path, body, hold)
        if path.endswith(suffix):
            raise StorageFaultError("dead")

    storage.store.put = dead
    try:
        with pytest.raises(StorageFaultError):
            yield
    finally:
        storage.store.put = put


@pytest.fixture
async def storage(dav_url: str) -> AsyncGenerator[SidecarStorage]:
    backend = dav_storage(dav_url)
    yield backend
    await backend.aclose()


def proof(content: bytes, number: int) -> Evidence:
    digest = hashlib.sha256(content).hexdigest()
    return msgspec.structs.replace(evidence(number), sha256=digest)


async def save(storage: SidecarStorage, content: bytes, number: int) -> Head:
    node = node_of(storage)
    return await node.write_if(MemoryBody(content), proof(content, number), await node.stat())


def another(storage: SidecarStorage) -> SidecarStorage:
    """Return the storage as another process sees it."""
    return SidecarStorage(storage.store, 0)


async def test_the_record_of_a_writer_that_died_is_completed_by_whoever_looks_next(
    storage: SidecarStorage,
) -> None:
    await save(storage, b"one", 1)
    with dying(storage, "latest.json"):
        await save(storage, b"two", 2)
    head = await node_of(another(storage)).stat()
    assert head is not None
    assert head.evidence is not None
    assert head.evidence.version == "2.v"
    latest, _ = await storage.record(f"{history_folder(PATH)}/latest.json", Latest)
    assert latest == Latest(fingerprint=head.fingerprint, evidence=head.evidence)


async def test_a_writer_that_died_before_its_bytes_changed_nothing(storage: SidecarStorage) -> None:
    await save(storage, b"one", 1)
    with dying(storage, PATH):
        await save(storage, b"two", 2)
    head = await node_of(another(storage)).stat()
    assert head is not None
    assert head.evidence is not None
    assert head.evidence.version == "1.v"


async def test_what_another_program_wrote_is_not_taken_for_a_dead_writers_bytes(
    storage: SidecarStorage,
) -> None:
    await save(storage, b"one", 1)
    with dying(storage, PATH):
        await save(storage, b"two", 2)
    await storage.store.put(PATH, MemoryBody(b"owt"))
    head = await node_of(another(storage)).stat()
    assert head is not None
    assert head.evidence is None


async def test_a_lost_answer_is_resolved_by_looking(storage: SidecarStorage) -> None:
    await save(storage, b"one", 1)
    with dying(storage, PATH, after=True):
        await save(storage, b"two", 2)
    head = await node_of(another(storage)).stat()
    assert head is not None
    assert head.evidence is not None
    assert head.evidence.version == "2.v"


async def test_a_file_that_another_program_locks_is_waited_for_and_left_alone(
    storage: SidecarStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genro_wopi.adapters.storage.webdav.LOCK_ATTEMPTS_MAX", 2)
    await save(storage, b"one", 1)
    async with storage.store.held(PATH):
        with pytest.raises(StorageFaultError):
            await save(storage, b"two", 2)
    assert await read(node_of(storage)) == b"one"


async def test_a_new_file_that_was_not_written_leaves_nothing(storage: SidecarStorage) -> None:
    with dying(storage, PATH):
        await save(storage, b"one", 1)
    assert await node_of(storage).stat() is None
    with pytest.raises(NotFoundError):
        await read(node_of(storage))


async def test_a_move_that_was_killed_before_its_history_moved_is_finished(
    storage: SidecarStorage,
) -> None:
    node = node_of(storage)
    first = await save(storage, b"one", 1)
    await node.keep(first)
    await save(storage, b"two", 2)
    await storage.store.rename(PATH, at("dir/b.txt"))
    head = await another(storage).move(PATH, at("dir/b.txt"), resumed=True)
    assert head.evidence is not None
    assert head.evidence.version == "2.v"
    moved = node_of(storage, "dir/b.txt")
    (kept,) = await moved.versions(limit=5)
    assert await read_version(moved, kept.key) == b"one"
