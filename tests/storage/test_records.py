"""Records beside files are input: strict, the tenant's own, one file's matter each."""

import json
from pathlib import Path
from typing import Any

import pytest

from genro_wopi.adapters.storage.local import LocalStorage
from genro_wopi.adapters.storage.records import Records
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.paths import StoragePath, history_folder, inner_path
from genro_wopi.domain.record_owner import RecordOwner
from genro_wopi.domain.storages import StorageFaultError
from tests.storage.test_conformance import evidence, node_of, read, write

PATH = StoragePath("a.txt")


def storage_of(root: Path, tenant: str = "", *, only_own: bool = False) -> LocalStorage:
    return LocalStorage(root, Records(RecordOwner(TenantId(tenant), only_own)))


async def stored(root: Path, tenant: str = "acme.1") -> Path:
    """Store two versions of a file; return where its records lie."""
    storage = storage_of(root, tenant)
    first = await write(node_of(storage, PATH), b"one", None)
    await write(node_of(storage, PATH), b"two", first, 2)
    return root / history_folder(PATH)


GARBAGE: list[bytes | dict[str, Any]] = [
    b"",
    b"\xff\xfe",
    b"[" * 100_000,
    b"null",
    b"x" * 70_000,
    {"number": 7},
    {"replaced": 5},
    {"evidence.save_id": "../../x"},
    {"evidence.save_id": ""},
    {"evidence.version": "../x"},
    {"evidence.sequence": -1},
    {"evidence.sequence": 2**60},
    {"evidence.last_modified_us": 2**62},
    {"evidence.session": "a b"},
    {"evidence.file_id": "x"},
    {"evidence.tenant": "another"},
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda g: str(g)[:40])
async def test_a_record_that_does_not_count_is_passed_over_and_saving_goes_on(
    root: Path, garbage: bytes | dict[str, Any]
) -> None:
    record = await stored(root) / "0000000002.json"
    if isinstance(garbage, dict):
        values = json.loads(record.read_bytes())
        for name, value in garbage.items():
            table = values["evidence"] if "." in name else values
            table[name.rpartition(".")[2]] = value
        record.write_text(json.dumps(values))
    else:
        record.write_bytes(garbage)
    counted: list[str] = []
    storage = LocalStorage(root, Records(RecordOwner(TenantId("acme.1")), counted.append))
    node = node_of(storage, PATH)
    head = await node.stat()
    assert head is not None
    assert head.evidence is None
    assert head.has_bad_record
    assert [v.evidence is None for v in await node.versions(limit=10)] == [False]
    written = await node.write_if(MemoryBody(b"three"), evidence(3), head)
    assert await read(node) == b"three"
    assert (await node.stat()) == written
    assert {v.size_bytes for v in await node.versions(limit=10)} == {3}


@pytest.mark.parametrize(
    ("tenant", "only_own", "counts"),
    [
        ("acme.1", True, True),
        ("acme.2", False, True),
        ("acme.2", True, False),
        ("other.1", False, False),
    ],
)
async def test_whose_record_counts(
    root: Path,
    tenant: str,
    only_own: bool,
    counts: bool,
) -> None:
    await stored(root, "acme.1")
    head = await node_of(storage_of(root, tenant, only_own=only_own), PATH).stat()
    assert head is not None
    assert (head.evidence is not None) is counts


async def test_a_record_from_before_tenants_were_named_counts_unless_the_place_was_anothers(
    root: Path,
) -> None:
    await stored(root, "")
    head = await node_of(storage_of(root, "acme.2"), PATH).stat()
    assert head is not None
    assert head.evidence is not None
    head = await node_of(storage_of(root, "acme.2", only_own=True), PATH).stat()
    assert head is not None
    assert head.evidence is None


@pytest.mark.parametrize("name", ["0000000003.json", "0000000003.before", ".data", "locks"])
async def test_a_link_or_a_pipe_in_the_hosts_folder_is_nothing(root: Path, name: str) -> None:
    folder = await stored(root)
    outside = root.parent / "outside"
    outside.write_bytes(b"secret")
    (folder / name).symlink_to(outside)
    storage = storage_of(root, "acme.1")
    node = node_of(storage, PATH)
    for version in await node.versions(limit=10):
        async with node.open_version(version.key) as chunks:
            assert b"".join([c async for c in chunks]) == b"one"
    with pytest.raises(NotFoundError):
        async with node.open_version("3") as chunks:
            pass
    assert outside.read_bytes() == b"secret"


async def test_a_root_that_became_a_link_is_a_fault_and_nothing_is_read(root: Path) -> None:
    inner = root / "inner"
    inner.mkdir()
    other = root / "other"
    other.mkdir()
    (other / "a.txt").write_bytes(b"secret")
    storage = storage_of(inner)
    assert await node_of(storage, PATH).stat() is None
    inner.rmdir()
    inner.symlink_to(other)
    with pytest.raises(StorageFaultError):
        await node_of(storage, PATH).stat()


@pytest.mark.parametrize("path", ["..", "a/../b", "/a", "a//b", "a\0b", "a\\b", ".", "a/./b"])
def test_an_inner_path_never_leads_out(path: str) -> None:
    with pytest.raises(NotFoundError):
        inner_path(path)
    assert inner_path(".genro-wopi/history/abc/latest.json")


@pytest.mark.parametrize("path", ["..", "../root-beside", "a/../../x"])
async def test_a_folder_refuses_what_leads_out(root: Path, path: str) -> None:
    storage = storage_of(root)
    with pytest.raises(FileNotFoundError), storage.folder(path.split("/")):
        pass
    with pytest.raises(NotFoundError):
        await storage.list_folder(StoragePath(path), limit=10)
