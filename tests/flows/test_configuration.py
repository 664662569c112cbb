"""Configuration: as a file, by two operators at once, by requests that are sent twice."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.flows.conftest import Tenant
from tests.support.cli import CommandLine
from tests.support.cluster import ADMIN_TOKEN, Cluster

pytestmark = pytest.mark.flow


@pytest.fixture
def cli(tmp_path: Path, cluster: Cluster) -> CommandLine:
    return CommandLine(tmp_path, {"WOPI_URL": cluster.url, "WOPI_TOKEN": ADMIN_TOKEN})


@pytest.fixture
def document(cluster: Cluster) -> dict[str, Any]:
    """Return a document for a tenant of this test's own."""
    name = f"y{uuid.uuid4().hex[:8]}"
    folder = str(cluster.data_dir / "files" / name)
    storage = {"name": "docs", "protocol": "local", "config": {"base_path": folder}}
    editor = {"name": "own", "kind": "collabora", "url": "http://127.0.0.1:9", "proof": "off"}
    tenant = {
        "id": name,
        "name": "From a file",
        "client_base_url": "http://127.0.0.1:9",
        "client_auth": {"method": "bearer", "token": {"env": "CALLBACK_TOKEN"}},
        "storages": [storage],
        "editors": [editor],
    }
    return {"tenants": [tenant]}


def write(cli: CommandLine, document: dict[str, Any]) -> str:
    (cli.folder / "wopi.yaml").write_bytes(msgspec.yaml.encode(document))
    return "wopi.yaml"


def test_a_file_is_applied_once_and_changes_nothing_the_second_time(
    cli: CommandLine, document: dict[str, Any], cluster: Cluster
) -> None:
    file, name = write(cli, document), document["tenants"][0]["id"]
    dry = cli("apply", "-f", file, "--dry-run", CALLBACK_TOKEN="one")
    assert dry.code == 0, dry
    assert f"+ tenant {name}" in dry.out
    with cluster.admin() as admin:
        assert admin.get(f"/api/tenants/{name}").status_code == 404
    first = cli("apply", "-f", file, CALLBACK_TOKEN="one")
    assert f"+ storage {name}/docs" in first.out
    assert f"+ editor {name}/own" in first.out
    assert "gwk_" in first.out
    with cluster.admin() as admin:
        revision = admin.get(f"/api/tenants/{name}").json()["revision"]
        again = cli("apply", "-f", file, CALLBACK_TOKEN="one")
        assert again.out.strip() == "0 changed, 3 unchanged."
        assert admin.get(f"/api/tenants/{name}").json()["revision"] == revision
    other = cli("apply", "-f", file, CALLBACK_TOKEN="another")
    assert f"~ tenant {name}\n    client_auth.token: *** → ***" in other.out
    assert "another" not in other.out


def test_what_differs_is_shown_field_by_field(cli: CommandLine, document: dict[str, Any]) -> None:
    cli("apply", "-f", write(cli, document), CALLBACK_TOKEN="one")
    tenant = document["tenants"][0]
    tenant["name"] = "Renamed"
    tenant["storages"][0]["versions"] = {"keep_count": 3}
    tenant["editors"][0]["priority"] = 7
    done = cli("apply", "-f", write(cli, document), "--dry-run", CALLBACK_TOKEN="one")
    assert "    name: From a file → Renamed" in done.out
    assert "    priority: 100 → 7" in done.out
    assert "'keep_count': 3" in done.out
    assert "3 would be changed, 0 unchanged." in done.out


def test_pruning_removes_what_a_tenant_of_the_file_has_besides(
    cli: CommandLine, document: dict[str, Any], cluster: Cluster
) -> None:
    tenant = document["tenants"][0]
    cli("apply", "-f", write(cli, document), CALLBACK_TOKEN="one")
    tenant["storages"], tenant["editors"] = [], []
    planned = cli("apply", "-f", write(cli, document), "--prune", "--dry-run", CALLBACK_TOKEN="one")
    assert f"- storage {tenant['id']}/docs" in planned.out
    assert f"- editor {tenant['id']}/own" in planned.out
    kept = cli("apply", "-f", write(cli, document), CALLBACK_TOKEN="one")
    assert "- storage" not in kept.out
    with cluster.admin() as admin:
        storages = admin.get(f"/api/storages?tenant_id={tenant['id']}").json()
    assert [s["name"] for s in storages["items"]] == ["docs"]


def test_what_is_exported_changes_nothing_when_it_is_applied(
    cli: CommandLine, make_tenant: Callable[[str], Tenant]
) -> None:
    tenant = make_tenant("s3")
    exported = cli("export")
    assert exported.code == 0, exported
    assert "secretsecret" not in exported.out
    assert "keep: true" in exported.out
    own = msgspec.yaml.decode(exported.out.encode(), type=dict[str, Any])
    own["tenants"] = [t for t in own["tenants"] if t["id"] == tenant.tenant_id]
    own.pop("editors", None)
    applied = cli("apply", "-f", write(cli, own))
    assert applied.out.strip() == "0 changed, 2 unchanged.", applied


def test_what_is_wrong_is_said_before_anything_is_done(
    cli: CommandLine, document: dict[str, Any]
) -> None:
    missing = cli("apply", "-f", write(cli, document))
    assert missing.code == 1
    assert "tenants[0].client_auth.token: the environment has no CALLBACK_TOKEN" in missing.err
    tenant = document["tenants"][0]
    tenant["client_auth"] = {"method": "bearer", "token": {"keep": True}}
    nothing = cli("apply", "-f", write(cli, document))
    assert nothing.code == 1
    assert "there is no secret to keep yet" in nothing.out
    tenant["colour"] = "red"
    unknown = cli("apply", "-f", write(cli, document))
    assert unknown.code == 2
    assert "colour" in unknown.err
    (cli.folder / "bad.yaml").write_text("tenants: [")
    assert cli("apply", "-f", "bad.yaml").code == 1


def test_one_record_that_fails_does_not_keep_the_others_back(
    cli: CommandLine, document: dict[str, Any]
) -> None:
    tenant = document["tenants"][0]
    bad = {"name": "bad", "protocol": "local", "config": {"base_path": "/etc"}}
    tenant["storages"].insert(0, bad)
    done = cli("apply", "-f", write(cli, document), CALLBACK_TOKEN="one")
    assert done.code == 1
    assert f"! storage {tenant['id']}/bad" in done.out
    assert f"+ storage {tenant['id']}/docs" in done.out


# Two operators at once


def test_a_change_to_what_was_changed_meanwhile_is_refused(
    cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    url = f"/api/tenants/{tenant.tenant_id}"
    with cluster.admin() as admin:
        seen = admin.get(url)
        etag = seen.headers["ETag"]
        assert etag == f'"{seen.json()["revision"]}"'
        mine = admin.patch(url, json={"name": "Mine"}, headers={"If-Match": etag})
        theirs = admin.patch(url, json={"name": "Theirs"}, headers={"If-Match": etag})
        assert (mine.status_code, theirs.status_code) == (200, 412)
        assert "read it again" in theirs.json()["detail"]
        assert admin.get(url).json()["name"] == "Mine"
        assert mine.headers["ETag"] != etag
        gone = admin.delete(url, params={"cascade": "true"}, headers={"If-Match": etag})
        assert gone.status_code == 412


@pytest.mark.parametrize("etag", ['"1"', "nonsense", "*"])
def test_a_storage_with_another_revision_stays(
    make_tenant: Callable[[], Tenant], etag: str
) -> None:
    tenant = make_tenant()
    change = {"versions": {"keep_count": 2}}
    headers = {"If-Match": etag}
    assert tenant.http.patch("/api/storages/docs", json=change, headers=headers).status_code == 412
    assert tenant.http.delete("/api/storages/docs", headers=headers).status_code == 412
    assert tenant.http.get("/api/storages/docs").json()["versions"]["keep_count"] is None


def test_changes_of_different_fields_at_once_are_all_kept(
    cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    url = f"{cluster.url}/api/tenants/{tenant.tenant_id}"
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    changes: list[dict[str, Any]] = [
        {"name": "New"},
        {"callback_strict": True},
        {"frame_ancestors": ["https://a.example"]},
        {"callback_events": ["document_saved"]},
    ]

    def change(values: dict[str, Any]) -> httpx.Response:
        return httpx.patch(url, json=values, headers=headers, timeout=30)

    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(change, changes))
    assert {a.status_code for a in answers} == {200}
    now = httpx.get(url, headers=headers).json()
    assert all(now[name] == value for change in changes for name, value in change.items())


# Requests that are sent twice


def test_a_request_that_is_sent_twice_is_carried_out_once(
    make_tenant: Callable[[], Tenant],
) -> None:
    tenant = make_tenant()
    tenant.upload("a.txt", b"x")
    request = {
        "storage_name": "docs",
        "file_path": "a.txt",
        "permissions": ["view"],
        "account": "sales",
    }
    headers = {"Idempotency-Key": f"k-{uuid.uuid4()}"}
    create = "/api/sessions/create"
    first = tenant.http.post(create, json=request, headers=headers)
    second = tenant.http.post(create, json=request, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(tenant.http.get("/api/sessions").json()["items"]) == 1
    other = tenant.http.post(create, json={**request, "account": "other"}, headers=headers)
    assert other.status_code == 422
    assert "another request" in other.json()["detail"]


def test_a_key_counts_for_its_caller_only(make_tenant: Callable[[], Tenant]) -> None:
    one, other = make_tenant(), make_tenant()
    headers = {"Idempotency-Key": f"k-{uuid.uuid4()}"}
    new = {"path": "b.md", "template": "md"}
    made = [
        t.http.post("/api/storages/docs/files", json=new, headers=headers) for t in (one, other)
    ]
    assert [m.status_code for m in made] == [201, 201]
    assert made[0].json()["file_id"] != made[1].json()["file_id"]


def test_a_request_that_failed_can_be_sent_again(make_tenant: Callable[[], Tenant]) -> None:
    tenant = make_tenant()
    headers = {"Idempotency-Key": f"k-{uuid.uuid4()}"}
    new = {"path": "c.md", "template": "md"}
    tenant.http.post("/api/storages/docs/files", json=new)
    taken = tenant.http.post("/api/storages/docs/files", json=new, headers=headers)
    tenant.http.delete("/api/storages/docs/files", params={"path": "c.md"})
    again = tenant.http.post("/api/storages/docs/files", json=new, headers=headers)
    assert (taken.status_code, again.status_code) == (409, 201)


@pytest.mark.parametrize("key", ["x" * 201, "a\tb"])
def test_a_bad_key_is_refused(make_tenant: Callable[[], Tenant], key: str) -> None:
    answer = make_tenant().http.post(
        "/api/storages/docs/files", json={"path": "d.md"}, headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 400


def test_of_two_at_once_one_is_carried_out(
    cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    headers = {
        "Idempotency-Key": f"k-{uuid.uuid4()}",
        "Authorization": tenant.http.headers["Authorization"],
    }
    url = f"{cluster.url}/api/storages/docs/files"

    def send(_number: int) -> httpx.Response:
        return httpx.post(url, json={"path": "e.md"}, headers=headers, timeout=30)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert {a.status_code for a in answers} <= {201, 409}
    assert len({a.text for a in answers if a.status_code == 201}) == 1
