"""Redis was lost: the registry is made again from what lies in the storage."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from genro_wopi.domain.identifiers import tenant_name
from tests.flows.conftest import Tenant
from tests.support.cluster import ADMIN_TOKEN, Cluster

pytestmark = pytest.mark.flow


def forget_registry(cluster: Cluster, tenant: Tenant) -> None:
    """Remove what Redis knows of a tenant's files, as a loss of its data does."""
    redis: Any = Redis.from_url((cluster.data_dir / "redis-url").read_text())  # pyright: ignore[reportUnknownMemberType]
    names: list[str] = [key.decode() for key in redis.scan_iter("wopi:*")]
    for name in names:
        owner = (redis.hget(name, "tenant") or b"").decode() if ":file:" in name else ""
        if tenant_name(owner) == tenant.tenant_id:
            redis.delete(name)
        is_own = name.startswith(f"wopi:{{t:{tenant.tenant_id}.")
        if is_own and ("}:path:" in name or "}:rescue" in name):
            redis.delete(name)
    redis.close()


def fsck(cluster: Cluster, tenant: Tenant, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "genro_wopi.cli.main", "storages", "fsck", "docs"]
    place = {"WOPI_URL": cluster.url, "WOPI_TOKEN": ADMIN_TOKEN}
    return subprocess.run(
        [*command, "--tenant", tenant.tenant_id, *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **place},
    )


@pytest.mark.parametrize(
    "protocol", ["local", "s3", pytest.param("webdav", marks=pytest.mark.check)]
)
def test_files_keep_their_ids_and_nothing_kept_is_lost(
    make_tenant: Callable[[str], Tenant], cluster: Cluster, protocol: str
) -> None:
    tenant = make_tenant(protocol)
    paths = ("a.txt", "letters/b.txt", "letters/2026/c.txt", "gone.txt")
    for path in paths:
        tenant.upload(path, b"hello")
    ids = {path: tenant.open(path).session["file_id"] for path in paths}
    editor = tenant.open("a.txt")
    info = editor.info()
    editor.get()
    editor.override("LOCK", "L")
    stale = "2020-01-01T00:00:00.000000Z"
    assert editor.put(b"refused", "L", stale).status_code == 409
    content = f"/api/storages/{tenant.storage}/files"
    assert tenant.http.delete(content, params={"path": "gone.txt"}).status_code == 204
    assert fsck(cluster, tenant).stdout.endswith("0 repaired, 0 left.\n")
    forget_registry(cluster, tenant)

    found = fsck(cluster, tenant)
    assert found.returncode == 1, found.stderr
    assert found.stdout.count("unregistered") == 3
    assert found.stdout.count("deleted ") == 1
    assert found.stdout.count("recovery ") == 1
    assert fsck(cluster, tenant, "--repair").returncode == 0
    assert fsck(cluster, tenant).returncode == 0

    for path in paths[:3]:
        assert tenant.open(path).session["file_id"] == ids[path]
    again = tenant.open("a.txt").info()
    assert (again["Version"], again["LastModifiedTime"]) == (
        info["Version"],
        info["LastModifiedTime"],
    )
    undelete = {"file_id": ids["gone.txt"]}
    assert tenant.http.post(f"{content}/undelete", json=undelete).json()["path"] == "gone.txt"
    (copy,) = tenant.http.get("/api/recovery").json()["items"]
    assert tenant.http.get(f"/api/recovery/{copy['recovery_id']}/content").content == b"refused"


def test_what_is_gone_from_the_storage_is_forgotten(
    make_tenant: Callable[[str], Tenant], cluster: Cluster
) -> None:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"hello")
    (cluster.data_dir / "files" / tenant.tenant_id / "a.txt").unlink()
    assert "missing        left" in fsck(cluster, tenant).stdout
    assert fsck(cluster, tenant, "--repair").returncode == 0
    assert fsck(cluster, tenant).stdout == "0 checked, 0 repaired, 0 left.\n"


def test_a_tenant_checks_no_storage_of_another(make_tenant: Callable[[str], Tenant]) -> None:
    tenant, other = make_tenant("local"), make_tenant("local")
    body = {"tenant_id": other.tenant_id}
    assert tenant.http.post("/api/storages/docs/fsck", json=body).status_code == 404
    assert tenant.http.get("/api/registry", params=body).status_code == 404
    assert tenant.http.post("/api/registry", json={"items": [], **body}).status_code == 404


def test_the_registry_goes_to_another_cluster_and_back(
    make_tenant: Callable[[str], Tenant], cluster: Cluster
) -> None:
    tenant = make_tenant("local")
    for path in ("a.txt", "b.txt"):
        tenant.upload(path, b"hello")
    exported: list[dict[str, Any]] = tenant.http.get("/api/registry").json()["items"]
    assert {f["path"] for f in exported} == {"a.txt", "b.txt"}
    forget_registry(cluster, tenant)
    tenant.open("b.txt")  # Used before it was imported: it has a new id now.
    answer = tenant.http.post("/api/registry", json={"items": exported}).json()
    assert answer["imported"] == 1
    assert [f["path"] for f in answer["refused"]] == ["b.txt"]
    ids = {f["path"]: f["file_id"] for f in exported}
    assert tenant.open("a.txt").session["file_id"] == ids["a.txt"]
    hostile = {"file_id": ids["b.txt"], "storage_name": "docs", "path": "../b.txt"}
    assert tenant.http.post("/api/registry", json={"items": [hostile]}).status_code == 422


def test_an_id_of_another_tenant_cannot_be_imported(
    make_tenant: Callable[[str], Tenant],
) -> None:
    tenant, other = make_tenant("local"), make_tenant("local")
    tenant.upload("a.txt", b"hello")
    other.upload("mine.txt", b"stolen?")
    (file,) = tenant.http.get("/api/registry").json()["items"]
    stolen = {**file, "path": "claimed.txt"}
    answer = other.http.post("/api/registry", json={"items": [stolen]}).json()
    assert answer == {"imported": 0, "refused": [stolen]}
    assert tenant.open("a.txt").session["file_id"] == file["file_id"]


def test_a_large_folder_is_listed_in_pages(tenant: Tenant) -> None:
    names = [f"{n:03}.txt" for n in range(25)]
    for name in names:
        tenant.upload(name, b"x")
    seen: list[str] = []
    cursor = ""
    while True:
        query: dict[str, Any] = {"path": tenant.folder.rstrip("/"), "limit": 10, "cursor": cursor}
        page = tenant.http.get(f"/api/storages/{tenant.storage}/files", params=query).json()
        seen += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = page["next_cursor"]
    assert sorted(seen) == names
