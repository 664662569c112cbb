"""What every back end promises; a new one is one more entry in `BACKENDS`."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.leases import RedisLeases
from genro_wopi.adapters.secrets import AesGcmRing
from genro_wopi.adapters.storage import genro
from genro_wopi.adapters.storage.local import LocalStorage
from genro_wopi.adapters.storage.s3 import LEASE_WAIT_S, S3Storage
from genro_wopi.adapters.storage.s3_client import S3Settings
from genro_wopi.adapters.storage.sidecar import SidecarStorage
from genro_wopi.adapters.storage.surroundings import StorageSurroundings
from genro_wopi.adapters.storage.webdav import DavStore
from genro_wopi.adapters.storage.webdav_client import DavClient, DavSettings
from genro_wopi.domain.errors import AlreadyExistsError, ConflictError, NotFoundError
from genro_wopi.domain.files import Evidence, Head
from genro_wopi.domain.identifiers import TenantId, Version
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.secrets import Secret
from genro_wopi.domain.storages import (
    HeadChangedError,
    ProbeReport,
    Storage,
    StorageBackend,
    StorageNode,
    StorageProtocol,
)
from tests.support.ceph import ACCESS_KEY, SECRET_KEY

WRITERS = 32


DEBIANS = [
    pytest.param(name, marks=pytest.mark.check) for name in ("webdav", "ceph", "ceph-versioned")
]
"""On servers that pip does not bring."""


@pytest.fixture(params=["local", "s3", "s3-versioned", "genro", *DEBIANS])
async def storage(
    request: pytest.FixtureRequest, root: Path, redis: RedisClient
) -> AsyncGenerator[StorageBackend]:
    if request.param == "local":
        backend: StorageBackend = LocalStorage(root)
    elif request.param == "genro":
        backend = await genro_storage(root, redis)
    elif request.param.startswith("ceph"):
        url, versioned = request.getfixturevalue("ceph_url"), request.param.endswith("versioned")
        backend = await proved(await ceph_storage(url, versioned=versioned), redis)
    elif request.param == "webdav":
        backend = dav_storage(request.getfixturevalue("dav_url"))
    else:
        versioned = request.param == "s3-versioned"
        backend = await moto_storage(request.getfixturevalue("s3_url"), versioned=versioned)
    yield backend
    await backend.aclose()


async def genro_storage(root: Path, redis: RedisClient) -> SidecarStorage:
    """Open a folder as a mount of genro-storage."""
    configured = Storage(
        tenant_id=TenantId(""),
        name="docs",
        protocol=StorageProtocol.GENRO,
        config={"protocol": "local", "path": str(root)},
        sealed={},
        revision=1,
        created_us=0,
        updated_us=0,
    )
    surroundings = StorageSurroundings(
        local_roots=(root,),
        ring=AesGcmRing((("k", bytes(32)),)),
        egress=EgressPolicy((), setting="WOPI_STORAGE_ALLOW"),
        leases=RedisLeases(redis),
    )
    return await genro.build(configured, surroundings)


def dav_storage(url: str) -> SidecarStorage:
    """Open a storage of its own on the server."""
    settings = DavSettings(url=f"{url}/{uuid.uuid4().hex}")
    httpx.request("MKCOL", settings.url).raise_for_status()
    client = DavClient(settings, EgressPolicy(["loopback"], setting="WOPI_STORAGE_ALLOW"))
    return SidecarStorage(DavStore(client), 0)


_reports: dict[tuple[str, bool], ProbeReport] = {}
"""What the probe found of each store, once: it takes a second and does not change."""


async def proved(backend: S3Storage, redis: RedisClient) -> S3Storage:
    """Open a bucket again as its probe found it, as the gateway does when it is registered."""
    store = (str(backend.settings.endpoint_url), backend.versioned)
    if store not in _reports:
        _reports[store] = await backend.probe()
    report = _reports[store]
    await backend.aclose()
    opened = await S3Storage.connect(backend.settings, report)
    if report.storage_class == "B":
        opened.lease = lambda path: RedisLeases(redis).held(path, wait_s=LEASE_WAIT_S)
    return opened


async def ceph_storage(url: str, *, versioned: bool) -> S3Storage:
    keys = {"access_key_id": ACCESS_KEY, "secret_access_key": Secret(SECRET_KEY)}
    return await bucket_of(url, versioned=versioned, **keys)


async def moto_storage(url: str, *, versioned: bool) -> S3Storage:
    keys = {"access_key_id": "AKIATEST", "secret_access_key": Secret("secretsecret")}
    return await bucket_of(url, versioned=versioned, **keys)


async def bucket_of(url: str, *, versioned: bool, **keys: Any) -> S3Storage:
    """Make a bucket at a store."""
    settings = S3Settings(
        bucket=f"b-{uuid.uuid4().hex}",
        prefix="files/",
        endpoint_url=url,
        region="us-east-1",
        path_style=True,
        **keys,
        egress=EgressPolicy(("loopback",), setting="WOPI_STORAGE_ALLOW"),
    )
    backend = await S3Storage.connect(settings, None)
    create: Any = getattr(backend.client, "create_bucket")  # noqa: B009 - not part of the port
    await create(Bucket=settings.bucket)
    if versioned:
        enable: Any = getattr(backend.client, "put_bucket_versioning")  # noqa: B009 - the same
        await enable(Bucket=settings.bucket, VersioningConfiguration={"Status": "Enabled"})
        backend.versioned = True
    return backend


def evidence(number: int = 1, save_id: str = "") -> Evidence:
    return Evidence(
        save_id=save_id or uuid.uuid4().hex,
        session="s",
        epoch=1,
        attempt=number,
        base="",
        sequence=number,
        version=Version(f"{number}.v"),
        last_modified_us=1_000_000 * number,
        sha256="00",
    )


def node_of(storage: StorageBackend, path: str = "dir/a.txt") -> StorageNode:
    return storage.node(StoragePath(path))


async def write(node: StorageNode, content: bytes, expected: Head | None, number: int = 1) -> Head:
    return await node.write_if(MemoryBody(content), evidence(number), expected)


async def read(node: StorageNode, first: int = 0, last: int | None = None) -> bytes:
    async with node.open_read(first=first, last=last) as opened:
        return b"".join([chunk async for chunk in opened.chunks])


async def test_a_missing_file_has_no_head(storage: StorageBackend) -> None:
    assert await node_of(storage).stat() is None


async def test_a_missing_file_cannot_be_opened(storage: StorageBackend) -> None:
    with pytest.raises(NotFoundError):
        await read(node_of(storage))


async def test_bytes_and_evidence_come_back_together(storage: StorageBackend) -> None:
    node, proof = node_of(storage), evidence(3)
    written = await node.write_if(MemoryBody(b"hello"), proof, None)
    head = await node.stat()
    assert head is not None
    assert (head.evidence, head.size_bytes, head.fingerprint) == (proof, 5, written.fingerprint)
    assert await read(node) == b"hello"


async def test_a_range_is_read_exactly(storage: StorageBackend) -> None:
    node = node_of(storage)
    await write(node, b"0123456789", None)
    assert await read(node, 2, 4) == b"234"
    assert await read(node, 7) == b"789"


async def test_a_range_still_says_the_whole_size(storage: StorageBackend) -> None:
    node = node_of(storage)
    await write(node, b"0123456789", None)
    async with node.open_read(first=2, last=4) as opened:
        assert opened.head.size_bytes == 10
        assert [chunk async for chunk in opened.chunks] == [b"234"]


async def test_a_file_that_exists_is_not_created_again(storage: StorageBackend) -> None:
    node = node_of(storage)
    await write(node, b"one", None)
    with pytest.raises(HeadChangedError):
        await write(node, b"two", None)
    assert await read(node) == b"one"


async def test_a_stale_head_is_not_replaced(storage: StorageBackend) -> None:
    node = node_of(storage)
    first = await write(node, b"one", None)
    await write(node, b"two", first, 2)
    with pytest.raises(HeadChangedError):
        await write(node, b"three", first, 3)
    assert await read(node) == b"two"


async def test_a_missing_file_is_not_replaced(storage: StorageBackend) -> None:
    gone = Head(fingerprint='"0123"', size_bytes=1, modified_us=1, evidence=None)
    with pytest.raises(HeadChangedError):
        await write(node_of(storage), b"x", gone)
    assert await node_of(storage).stat() is None


async def test_of_many_writers_one_wins_and_its_bytes_stay(storage: StorageBackend) -> None:
    node = node_of(storage)
    base = await write(node, b"base", None)
    bodies = [f"writer {n}".encode() for n in range(WRITERS)]
    results = await asyncio.gather(
        *(write(node_of(storage), body, base, 2) for body in bodies), return_exceptions=True
    )
    winners = [b for b, r in zip(bodies, results, strict=True) if isinstance(r, Head)]
    assert len(winners) == 1
    assert await read(node) == winners[0]


async def test_a_reader_keeps_what_it_opened_while_others_write(storage: StorageBackend) -> None:
    node = node_of(storage)
    first = await write(node, b"old" * 100_000, None)
    async with node.open_read() as opened:
        await write(node, b"new", first, 2)
        content = b"".join([chunk async for chunk in opened.chunks])
    assert content == b"old" * 100_000


async def test_an_empty_file_can_be_kept_and_replaced(storage: StorageBackend) -> None:
    node = node_of(storage)
    empty = await write(node, b"", None)
    await node.keep(empty)
    await write(node, b"x", empty, 2)
    assert await read(node) == b"x"


async def test_a_folder_is_listed_by_name_without_the_hosts_own(storage: StorageBackend) -> None:
    for name in ("b.txt", "a.txt", "sub/c.txt"):
        await write(node_of(storage, name), b"x", None)
    entries = await storage.list_folder(StoragePath(""), limit=10)
    assert [(e.name, e.is_folder) for e in entries] == [
        ("a.txt", False),
        ("b.txt", False),
        ("sub", True),
    ]


async def test_a_missing_folder_is_not_listed(storage: StorageBackend) -> None:
    with pytest.raises(NotFoundError):
        await storage.list_folder(StoragePath("nowhere"), limit=10)


async def test_a_rescued_body_can_be_read_again(storage: StorageBackend) -> None:
    node = node_of(storage)
    await node.rescue(MemoryBody(b"typed in vain"), "rescue1")
    async with node.open_rescued("rescue1") as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"typed in vain"


async def test_the_probe_finds_the_class(storage: StorageBackend) -> None:
    report = await storage.probe()
    leased = isinstance(storage, S3Storage) and storage.lease is not None
    expected = "B" if leased or isinstance(storage, SidecarStorage) else "A"
    assert report.storage_class == expected, report.findings
    assert await storage.list_folder(StoragePath(""), limit=10) == []


async def test_names_of_other_scripts_are_kept(storage: StorageBackend) -> None:
    node = node_of(storage, "über/größe 100%+&'.txt")
    first = await write(node, b"x", None)
    await node.keep(first)
    assert await read(node) == b"x"


def at(path: str) -> StoragePath:
    return StoragePath(path)


async def test_a_file_moves_with_its_evidence(storage: StorageBackend) -> None:
    node, proof = node_of(storage), evidence(3)
    await node.write_if(MemoryBody(b"hello"), proof, None)
    moved = await storage.move(at("dir/a.txt"), at("other/b.txt"))
    assert await node.stat() is None
    head = await node_of(storage, "other/b.txt").stat()
    assert head is not None
    assert (head.evidence, head.fingerprint) == (proof, moved.fingerprint)
    assert await read(node_of(storage, "other/b.txt")) == b"hello"


async def test_a_moved_file_can_be_written_and_its_old_name_too(storage: StorageBackend) -> None:
    node = node_of(storage)
    first = await write(node, b"one", None)
    await write(node, b"two", first, 2)
    moved = await storage.move(at("dir/a.txt"), at("dir/b.txt"))
    await write(node_of(storage, "dir/b.txt"), b"three", moved, 3)
    await write(node, b"another file", None)
    assert await read(node_of(storage, "dir/b.txt")) == b"three"
    assert await read(node) == b"another file"


async def test_a_move_never_replaces_another_file(storage: StorageBackend) -> None:
    await write(node_of(storage, "a.txt"), b"a", None)
    await write(node_of(storage, "b.txt"), b"b", None)
    with pytest.raises(AlreadyExistsError):
        await storage.move(at("a.txt"), at("b.txt"))
    assert await read(node_of(storage, "a.txt")) == b"a"
    assert await read(node_of(storage, "b.txt")) == b"b"


async def test_a_missing_file_does_not_move(storage: StorageBackend) -> None:
    with pytest.raises(NotFoundError):
        await storage.move(at("dir/a.txt"), at("dir/b.txt"))


async def test_a_write_while_the_file_moves_is_refused_or_moves_too(
    storage: StorageBackend,
) -> None:
    for number in range(10):
        source, target = f"s{number}.txt", f"t{number}.txt"
        base = await write(node_of(storage, source), b"base", None)
        wrote, _ = await asyncio.gather(
            write(node_of(storage, source), b"new", base, 2),
            storage.move(at(source), at(target)),
            return_exceptions=True,
        )
        if isinstance(wrote, Head) and await node_of(storage, source).stat() is None:
            assert await read(node_of(storage, target)) == b"new"


async def test_a_folder_is_made_once_listed_and_removed_when_empty(
    storage: StorageBackend,
) -> None:
    await storage.make_folder(at("one/two"))
    with pytest.raises(AlreadyExistsError):
        await storage.make_folder(at("one/two"))
    assert [e.name for e in await storage.list_folder(at("one"), limit=10)] == ["two"]
    assert await storage.list_folder(at("one/two"), limit=10) == []
    await write(node_of(storage, "one/two/a.txt"), b"x", None)
    with pytest.raises(ConflictError):
        await storage.remove_folder(at("one/two"))
    await storage.move(at("one/two/a.txt"), at("a.txt"))
    await storage.remove_folder(at("one/two"))
    with pytest.raises(NotFoundError):
        await storage.remove_folder(at("one/two"))


async def read_version(node: StorageNode, key: str) -> bytes:
    async with node.open_version(key) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_what_was_replaced_is_listed_and_read(storage: StorageBackend) -> None:
    node = node_of(storage)
    head = None
    for number, content in enumerate((b"one", b"two", b"three"), 1):
        if head is not None:
            await node.keep(head)
        head = await write(node, content, head, number)
    kept = await node.versions(limit=10)
    assert {k.version for k in kept} == {"1.v", "2.v"}
    assert {await read_version(node, k.key) for k in kept} == {b"one", b"two"}
    assert len(await node.versions(limit=1)) == 1
    found = await node.find_version("1.v")
    assert found is not None
    assert await read_version(node, found.key) == b"one"
    assert await node.find_version("3.v") is None
    with pytest.raises(NotFoundError):
        await read_version(node, "999")


async def test_versions_move_with_their_file(storage: StorageBackend) -> None:
    node = node_of(storage)
    first = await write(node, b"one", None)
    await node.keep(first)
    await write(node, b"two", first, 2)
    await storage.move(at("dir/a.txt"), at("dir/b.txt"))
    (kept,) = await node_of(storage, "dir/b.txt").versions(limit=10)
    assert kept.version == "1.v"
    assert await read_version(node_of(storage, "dir/b.txt"), kept.key) == b"one"
    assert await node.versions(limit=10) == []


async def test_a_version_is_discarded_for_good_and_the_others_stay(
    storage: StorageBackend,
) -> None:
    node = node_of(storage)
    head = None
    for number, content in enumerate((b"one", b"two", b"three", b"four"), 1):
        if head is not None:
            await node.keep(head)
        head = await write(node, content, head, number)
    middle = await node.find_version("2.v")
    assert middle is not None
    await node.discard_version(middle.key)
    await node.discard_version(middle.key)
    await node.tidy()
    assert {k.version for k in await node.versions(limit=10)} == {"1.v", "3.v"}
    oldest = await node.find_version("1.v")
    assert oldest is not None
    await node.discard_version(oldest.key)
    assert {k.version for k in await node.versions(limit=10)} == {"3.v"}
    now = await node.stat()
    assert now is not None
    assert now.evidence is not None
    assert now.evidence.version == "4.v"
    await write(node_of(storage), b"five", now, 5)
    assert await read(node) == b"five"


async def test_a_recovery_copy_is_discarded(storage: StorageBackend) -> None:
    node = node_of(storage)
    await node.rescue(MemoryBody(b"refused"), "r1")
    await node.discard_rescued("r1")
    await node.discard_rescued("r1")
    with pytest.raises(NotFoundError):
        async with node.open_rescued("r1") as chunks:
            await anext(aiter(chunks))


async def test_a_purged_file_is_gone_with_all_that_was_kept(storage: StorageBackend) -> None:
    node = node_of(storage)
    first = await write(node, b"one", None)
    await node.keep(first)
    await write(node, b"two", first, 2)
    await write(node_of(storage, "dir/b.txt"), b"beside", None)
    await storage.purge(at("dir/a.txt"))
    await storage.purge(at("dir/a.txt"))
    assert await node.stat() is None
    assert await node.versions(limit=10) == []
    assert await read(node_of(storage, "dir/b.txt")) == b"beside"
    await write(node_of(storage), b"new", None)
    assert await node.versions(limit=10) == []
