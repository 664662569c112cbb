"""A tenant writes any byte of its own storage: nobody else's files are read, changed or held up."""

import hashlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster

pytestmark = pytest.mark.flow

SECRET = b"the victim's secret"


@pytest.fixture
def victim(make_tenant: Callable[[str], Tenant]) -> Tenant:
    tenant = make_tenant("local")
    tenant.upload("secret.txt", SECRET)
    return tenant


@pytest.fixture
def attacker(make_tenant: Callable[[str], Tenant]) -> Tenant:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"mine")
    return tenant


def folder_of(cluster: Cluster, tenant: Tenant) -> Path:
    return cluster.data_dir / "files" / tenant.tenant_id


def forged_note(cluster: Cluster, tenant: Tenant, **changes: Any) -> str:
    """Put a recovery copy with a forged note into a tenant's storage, as it can itself."""
    recovery = folder_of(cluster, tenant) / ".genro-wopi" / "recovery"
    recovery.mkdir(parents=True, exist_ok=True)
    rescue_id = secrets.token_hex(16)
    note = {
        "rescue_id": rescue_id,
        "tenant_id": tenant.tenant_id,
        "storage_name": "docs",
        "file_id": f"00{secrets.token_urlsafe(16)}",
        "file_path": "a.txt",
        "session_id": "",
        "account": "a",
        "user": "u",
        "size_bytes": 6,
        "sha256": "00",
        "reason": "r",
        "rescued_us": 1,
    }
    (recovery / rescue_id).write_bytes(b"forged")
    (recovery / f"{rescue_id}.json").write_text(json.dumps(note | changes))
    return rescue_id


def fsck(tenant: Tenant, *, repair: bool = True) -> list[dict[str, Any]]:
    """Check a storage to its end."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        request = {"repair": repair, "cursor": cursor}
        answer = tenant.http.post("/api/storages/docs/fsck", json=request)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
    return found


@pytest.mark.parametrize(
    "path", ["../{victim}/secret.txt", "/etc/passwd", "x/../../{victim}/secret.txt", "a\0b"]
)
def test_a_note_with_a_path_out_of_the_storage_is_passed_over(
    cluster: Cluster, victim: Tenant, attacker: Tenant, path: str
) -> None:
    named = path.replace("{victim}", victim.tenant_id)
    rescue_id = forged_note(cluster, attacker, file_path=named)
    found = fsck(attacker)
    assert [f["problem"] for f in found if f["path"].endswith(rescue_id)] == ["bad_record"]
    listed = attacker.http.get("/api/recovery").json()["items"]
    assert rescue_id not in {item["recovery_id"] for item in listed}
    url = f"/api/recovery/{rescue_id}"
    assert attacker.http.post(f"{url}/restore", json={"target": "head"}).status_code == 404
    assert attacker.http.get(f"{url}/content").status_code == 404
    assert victim.download("secret.txt") == SECRET


@pytest.mark.parametrize("rescue_id", ["../../../{victim}/secret.txt", "other"])
def test_a_note_that_is_another_copys_is_passed_over(
    cluster: Cluster, victim: Tenant, attacker: Tenant, rescue_id: str
) -> None:
    named = rescue_id.replace("{victim}", victim.tenant_id)
    forged = forged_note(cluster, attacker, rescue_id=named)
    assert "bad_record" in {f["problem"] for f in fsck(attacker) if f["path"].endswith(forged)}
    assert attacker.http.get("/api/recovery").json()["items"] == []
    assert (folder_of(cluster, victim) / "secret.txt").read_bytes() == SECRET


def test_a_note_with_anothers_file_id_plants_nothing(
    cluster: Cluster, victim: Tenant, attacker: Tenant
) -> None:
    named = victim.upload("secret.txt", SECRET).json()["file_id"]
    forged_note(cluster, attacker, file_id=named)
    assert "bad_record" in {f["problem"] for f in fsck(attacker)}
    assert attacker.http.get("/api/recovery").json()["items"] == []
    assert [p.name for p in folder_of(cluster, victim).iterdir() if p.is_file()] == ["secret.txt"]


@pytest.mark.parametrize(
    "changes", [{"tenant_id": "another"}, {"storage_name": "other"}, {"file_id": "x"}]
)
def test_a_note_of_another_place_is_passed_over(
    cluster: Cluster, attacker: Tenant, changes: dict[str, Any]
) -> None:
    forged_note(cluster, attacker, **changes)
    assert "bad_record" in {f["problem"] for f in fsck(attacker)}
    assert attacker.http.get("/api/recovery").json()["items"] == []


def test_a_note_of_its_own_is_listed_again(cluster: Cluster, attacker: Tenant) -> None:
    rescue_id = forged_note(cluster, attacker)
    assert "recovery" in {f["problem"] for f in fsck(attacker)}
    listed = attacker.http.get("/api/recovery").json()["items"]
    assert [item["recovery_id"] for item in listed] == [rescue_id]
    restored = attacker.http.post(f"/api/recovery/{rescue_id}/restore", json={"target": "head"})
    assert restored.status_code == 200, restored.text
    assert attacker.download("a.txt") == b"forged"


@pytest.mark.parametrize(
    "cursor",
    [
        '{"phase":"files","folders":["../../../etc"],"cursor":""}',
        '{"phase":"files","folders":[]}',
        "²",
        "v1:k:AAAA",
        "x" * 70_000,
    ],
)
@pytest.mark.parametrize("where", ["storages.fsck", "files.list", "files.deleted", "registry"])
def test_a_cursor_that_the_host_did_not_give_is_refused_in_words(
    attacker: Tenant, cursor: str, where: str
) -> None:
    if len(cursor) > 1000 and where != "storages.fsck":
        cursor = cursor[:3000]
    if where == "storages.fsck":
        answer = attacker.http.post("/api/storages/docs/fsck", json={"cursor": cursor})
    else:
        path = {
            "files.list": "/api/storages/docs/files",
            "files.deleted": "/api/storages/docs/files/deleted",
            "registry": "/api/registry",
        }[where]
        answer = attacker.http.get(path, params={"cursor": cursor})
    assert answer.status_code == 422, answer.text
    assert "etc" not in answer.text.replace("etc)", "")


def test_a_cursor_counts_for_its_own_tenant_and_place_only(
    attacker: Tenant, victim: Tenant
) -> None:
    attacker.upload("b/c.txt", b"x")
    attacker.upload("d.txt", b"x")
    files = "/api/storages/docs/files"
    cursor = attacker.http.get(files, params={"limit": 1}).json()["next_cursor"]
    assert attacker.http.get(files, params={"cursor": cursor}).status_code == 200
    assert victim.http.get(files, params={"cursor": cursor}).status_code == 422
    assert attacker.http.get(files, params={"path": "b", "cursor": cursor}).status_code == 422
    deleted = {"cursor": cursor}
    assert attacker.http.get(f"{files}/deleted", params=deleted).status_code == 422


@pytest.mark.parametrize("folder", ["{own}/.genro-wopi", "{own}/x/.GENRO-WOPI/y", "{own}/door"])
def test_the_hosts_own_folder_is_no_storage(
    cluster: Cluster, attacker: Tenant, folder: str
) -> None:
    own = folder_of(cluster, attacker)
    door = own / "door"
    if not door.is_symlink():
        door.symlink_to(own / ".genro-wopi")
    config = {"base_path": folder.replace("{own}", str(own))}
    request = {"name": "second", "protocol": "local", "config": config}
    assert attacker.http.post("/api/storages", json=request).status_code == 422
    with cluster.admin() as admin:
        asked = request | {"tenant_id": attacker.tenant_id}
        assert admin.post("/api/storages", json=asked).status_code == 422


@pytest.mark.check
def test_links_beside_a_file_are_not_followed(
    cluster: Cluster, attacker: Tenant, victim: Tenant
) -> None:
    attacker.upload("a.txt", b"second")
    own, others = folder_of(cluster, attacker), folder_of(cluster, victim)
    digest = hashlib.sha256(b"a.txt").hexdigest()[:32]
    history = own / ".genro-wopi" / "history" / digest
    before = next(history.glob("*.before"))
    before.unlink()
    before.symlink_to(others / "secret.txt")
    versions = attacker.http.get("/api/storages/docs/files/versions", params={"path": "a.txt"})
    for item in versions.json()["items"]:
        url = "/api/storages/docs/files/content"
        answer = attacker.http.get(url, params={"path": "a.txt", "version": item["version"]})
        assert SECRET not in answer.content
    locks = own / ".genro-wopi" / "locks"
    for lock in locks.iterdir():
        lock.unlink()
    for number in range(256):
        (locks / f"{number:02x}").symlink_to(others / "planted")
    assert attacker.upload("a.txt", b"third").status_code == 503
    assert not (others / "planted").exists()


def test_a_save_id_in_a_record_moves_no_file_of_others(
    cluster: Cluster, attacker: Tenant, victim: Tenant
) -> None:
    """A record names bytes that are to be moved into place."""
    own = folder_of(cluster, attacker)
    digest = hashlib.sha256(b"a.txt").hexdigest()[:32]
    history = own / ".genro-wopi" / "history" / digest
    record = json.loads((history / "0000000001.json").read_text())
    (own / f"{victim.tenant_id}.data").write_bytes(b"")
    secret = folder_of(cluster, victim) / "secret.data"
    (folder_of(cluster, victim) / "secret.txt").rename(secret)
    save_id = f"../../../../{victim.tenant_id}/secret"
    record |= {"number": 2, "replaced": record["fingerprint"]}
    record["evidence"] |= {"save_id": save_id}
    (history / "0000000002.json").write_text(json.dumps(record))
    assert SECRET not in attacker.download("a.txt")
    assert secret.read_bytes() == SECRET
    assert "bad_record" in {f["problem"] for f in fsck(attacker, repair=False)}
    assert attacker.upload("a.txt", b"goes on").status_code == 200


def test_folders_of_two_tenants_never_overlap(
    cluster: Cluster, attacker: Tenant, victim: Tenant
) -> None:
    own = folder_of(cluster, victim)

    def register(http: httpx.Client, folder: Path, **more: Any) -> int:
        config = {"base_path": str(folder)}
        request = {"name": "second", "protocol": "local", "config": config, **more}
        return http.post("/api/storages", json=request).status_code

    for folder in (own, own / "below", own.parent, own.parent / f"x-{secrets.token_hex(4)}"):
        assert register(attacker.http, folder) == 422, folder
    with cluster.admin() as admin:
        more: dict[str, Any] = {"tenant_id": attacker.tenant_id}
        for folder in (own, own / "below", own.parent):
            assert register(admin, folder, **more) == 422, folder
            assert register(admin, folder, **more, reuse=True) == 422, folder
        config = {"config": {"base_path": str(own)}}
        patched = admin.patch("/api/storages/docs", json=more | config)
        assert patched.status_code == 422
    assert register(attacker.http, folder_of(cluster, attacker) / "below") == 201
    assert register(attacker.http, folder_of(cluster, attacker), reuse=True) == 403


def test_the_next_tenant_of_a_name_is_shown_no_record_of_the_one_before(
    cluster: Cluster, attacker: Tenant
) -> None:
    """The files of a removed tenant stay; so do histories, deleted files and recovery copies."""
    attacker.upload("a.txt", b"second")
    attacker.upload("gone.txt", b"deleted")
    attacker.http.delete("/api/storages/docs/files", params={"path": "gone.txt"})
    folder = folder_of(cluster, attacker)
    with cluster.admin() as admin:
        url = f"/api/tenants/{attacker.tenant_id}"
        assert admin.delete(url, params={"cascade": "true"}).status_code == 204
        key = admin.post("/api/tenants", json={"id": attacker.tenant_id}).json()["api_key"]
        storage = {"name": "docs", "protocol": "local", "config": {"base_path": str(folder)}}
        with cluster.client(key) as http:
            assert http.post("/api/storages", json=storage).status_code == 422
            asked = storage | {"tenant_id": attacker.tenant_id, "reuse": True}
            assert admin.post("/api/storages", json=asked).status_code == 201
            new = Tenant(attacker.tenant_id, http, "docs", attacker.application)
            assert new.download("a.txt") == b"second"
            fsck(new)
            for path in ("/api/recovery", "/api/storages/docs/files/deleted", "/api/registry"):
                found = http.get(path).json()["items"]
                assert [i for i in found if i.get("path") != "a.txt"] == [], path
            versions = http.get("/api/storages/docs/files/versions", params={"path": "a.txt"})
            assert len(versions.json()["items"]) == 1
