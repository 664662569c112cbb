"""What a folder promises beyond the contract: containment, history, recovery after a kill."""

import os
import subprocess
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import msgspec
import pytest

from genro_wopi.adapters.spool import Spool
from genro_wopi.adapters.storage.history import CommitRecord, data_name
from genro_wopi.adapters.storage.local import LocalStorage
from genro_wopi.domain.errors import NotFoundError, StorageFullError
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.paths import StoragePath, history_folder
from genro_wopi.domain.storages import StorageFaultError
from tests.storage.test_conformance import evidence, node_of, read, write
from tests.support import tools


def history_of(storage: LocalStorage, path: str = "dir/a.txt") -> Path:
    """Return where the records of a file lie."""
    return storage.root / history_folder(StoragePath(path))


@pytest.fixture
def storage(root: Path) -> LocalStorage:
    return LocalStorage(root)


async def test_a_link_out_of_the_folder_is_not_followed(storage: LocalStorage) -> None:
    outside = storage.root.parent / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (storage.root / "door").symlink_to(outside)
    (storage.root / "file.txt").symlink_to(outside / "secret.txt")
    assert await node_of(storage, "door/secret.txt").stat() is None
    assert await node_of(storage, "file.txt").stat() is None
    with pytest.raises((NotFoundError, StorageFaultError)):
        await read(node_of(storage, "file.txt"))


async def test_links_are_not_listed(storage: LocalStorage) -> None:
    (storage.root / "link").symlink_to("/etc")
    assert await storage.list_folder(StoragePath(""), limit=10) == []


async def test_a_foreign_change_has_no_evidence(storage: LocalStorage) -> None:
    node = node_of(storage)
    await write(node, b"ours", None)
    (storage.root / "dir" / "a.txt").write_bytes(b"theirs")
    head = await node.stat()
    assert head is not None
    assert head.evidence is None


async def test_what_was_replaced_is_kept_even_if_others_wrote_it(storage: LocalStorage) -> None:
    node = node_of(storage)
    await write(node, b"ours", None)
    (storage.root / "dir" / "a.txt").write_bytes(b"theirs")
    await write(node, b"ours again", await node.stat(), 2)
    kept = [p.read_bytes() for p in (storage.root / ".genro-wopi").rglob("*.before")]
    assert kept == [b"theirs"]


async def test_a_writer_in_place_does_not_change_the_history(storage: LocalStorage) -> None:
    node = node_of(storage)
    first = await write(node, b"one", None)
    await write(node, b"two", first, 2)
    with (storage.root / "dir" / "a.txt").open("r+b") as file:
        file.write(b"NEW")
    kept = [p.read_bytes() for p in (storage.root / ".genro-wopi").rglob("*.before")]
    assert kept == [b"one"]


async def test_a_commit_whose_writer_was_killed_is_completed_by_the_next_reader(
    storage: LocalStorage,
) -> None:
    node = node_of(storage)
    first = await write(node, b"one", None)
    history = storage.history(StoragePath("dir/a.txt"))
    proof = evidence(2)
    data = history_of(storage) / data_name(proof.save_id)
    data.write_bytes(b"two")
    status = data.stat()
    fingerprint = f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"
    record = CommitRecord(
        number=2, evidence=proof, fingerprint=fingerprint, replaced=first.fingerprint
    )
    with history.opened() as folder:
        assert folder is not None
        assert history.commit(folder, record)
    fresh = LocalStorage(storage.root)
    head = await node_of(fresh).stat()
    assert head is not None
    assert head.evidence == proof
    assert await read(node_of(fresh)) == b"two"


async def test_an_attempt_that_lost_leaves_nothing(storage: LocalStorage) -> None:
    node = node_of(storage)
    first = await write(node, b"one", None)
    await write(node, b"two", first, 2)
    names = {p.suffix for p in (storage.root / ".genro-wopi" / "history").rglob("*.*")}
    assert names == {".json", ".before"}


async def test_the_mode_of_a_replaced_file_stays(storage: LocalStorage) -> None:
    path = storage.root / "a.txt"
    path.write_bytes(b"one")
    path.chmod(0o640)
    node = node_of(storage, "a.txt")
    await write(node, b"two", await node.stat())
    assert path.stat().st_mode & 0o777 == 0o640


async def test_a_spool_on_the_same_disk_is_linked_not_copied(storage: LocalStorage) -> None:
    spooled = storage.root.parent / "spooled"
    spooled.write_bytes(b"spooled")
    body = MemoryBody(b"spooled")
    body.path = spooled  # type: ignore[assignment]
    await node_of(storage, "a.txt").write_if(body, evidence(), None)
    assert os.path.samefile(spooled, storage.root / "a.txt")  # noqa: PTH121 - the same inode


def test_a_record_is_readable_by_people() -> None:
    record = CommitRecord(number=1, evidence=evidence(), fingerprint="f", replaced="")
    assert b'"save_id"' in msgspec.json.encode(record)


async def test_a_move_that_was_killed_half_way_is_finished_by_the_next(
    storage: LocalStorage,
) -> None:
    proof = evidence(2)
    await node_of(storage, "a.txt").write_if(MemoryBody(b"one"), proof, None)
    os.link(storage.root / "a.txt", storage.root / "b.txt")
    moved = await LocalStorage(storage.root).move(StoragePath("a.txt"), StoragePath("b.txt"))
    assert moved.evidence == proof
    assert await node_of(storage, "a.txt").stat() is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A disk of its own with room for one document but not for two."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        tools.without("root, who may mount a disk")
    yield folder
    subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_refuses_a_save_and_nothing_is_half_written(
    small_disk: Path, tmp_path: Path
) -> None:
    storage = LocalStorage(small_disk)
    node = node_of(storage, "a.txt")
    first = await write(node, b"a" * 2**20, None)
    async with Spool(tmp_path, disk_bytes_max=2**30).receive(
        chunks_of(b"b" * 2 * 2**20),
        holder="acme",
        announced_bytes=None,
        size_bytes_max=2**30,
        chunk_timeout_s=5,
    ) as body:
        with pytest.raises(StorageFullError):
            await node.write_if(body, evidence(2), first)
    assert await read(node) == b"a" * 2**20
    assert await node.stat() == first
    history = next((small_disk / ".genro-wopi" / "history").iterdir())
    assert [f.suffix for f in history.iterdir()] == [".json"]
    assert await write(node, b"c", first, 2)
    await storage.aclose()


async def chunks_of(content: bytes) -> AsyncIterator[bytes]:
    yield content
