"""Who did what: commands and what editors did, by tenant, without secrets."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.flows.conftest import Tenant
from tests.support.cluster import ADMIN_TOKEN, Cluster
from tests.support.waiting import until

pytestmark = pytest.mark.flow


@pytest.fixture
def acme(make_tenant: Callable[[str], Tenant]) -> Tenant:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"hello")
    return tenant


def audit(tenant: Tenant, **query: Any) -> list[dict[str, Any]]:
    answer = tenant.http.get("/api/audit", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def test_commands_and_what_editors_did_are_found_by_filter(acme: Tenant) -> None:
    editor = acme.open(user="Anna")
    editor.get()
    editor.override("LOCK", "L")
    editor.put(b"more", "L")
    until(lambda: bool(audit(acme, action="document_saved")))
    (saved,) = audit(acme, action="document_saved", session_id=editor.session_id)
    assert (saved["actor"], saved["account"], saved["user"]) == ("editor", "sales", "Anna")
    assert (saved["storage_name"], saved["file_path"]) == ("docs", "a.txt")
    assert saved["details"]["size"] == "4"
    (created,) = audit(acme, action="sessions.create")
    assert (created["actor"], created["status"], created["user"]) == ("application", 201, "Anna")
    assert audit(acme, user="Mario") == []
    assert (
        audit(acme, file_path="a.txt", since=saved["timestamp"], until="2000-01-01T00:00:00Z") == []
    )
    one = acme.http.get(f"/api/audit/{saved['audit_id']}")
    assert one.json() == saved
    assert acme.http.get("/api/audit/1-1").status_code == 404
    assert acme.http.get("/api/audit", params={"since": "yesterday"}).status_code == 422


def test_what_was_refused_is_noted_with_its_reason(acme: Tenant) -> None:
    request = {"storage_name": "docs", "file_path": "none.txt", "permissions": ["view"]}
    acme.http.post("/api/sessions/create", json={**request, "account": "sales"})
    (refused,) = audit(acme, action="sessions.create")
    assert refused["status"] == 404
    acme.http.delete("/api/storages/docs/files", params={"path": "missing.txt"})
    (missing,) = audit(acme, action="files.delete")
    assert (missing["status"], missing["file_path"]) == (404, "missing.txt")
    assert missing["reason"]


def test_no_secret_is_ever_noted(acme: Tenant, cluster: Cluster) -> None:
    secrets = ("hunter2-password", "hunter2-key", "hunter2-private")
    config = {"bucket": "b", "access_key_id": "x", "secret_access_key": secrets[1]}
    storage = {"name": "other", "protocol": "s3", "config": config}
    acme.http.post("/api/storages", json=storage)
    options = {"user_private_info": {"key": secrets[2]}}
    acme.open(options=options)
    with cluster.admin() as admin:
        auth = {"method": "basic", "user": "u", "password": secrets[0]}
        admin.patch(f"/api/tenants/{acme.tenant_id}", json={"client_auth": auth})
        instance = admin.get("/api/audit").text
    everything = json.dumps(audit(acme, limit=1000)) + instance
    assert "tenants.update" in everything
    assert not [s for s in (*secrets, ADMIN_TOKEN, "whsec_", "gwk_") if s in everything]


@pytest.mark.parametrize("naming", [True, False])
def test_a_tenant_cannot_purge_what_it_did(acme: Tenant, *, naming: bool) -> None:
    acme.upload("secret.txt", b"x")
    purge: dict[str, str] = {"before": "2999-01-01T00:00:00Z"}
    purge |= {"tenant_id": acme.tenant_id} if naming else {}
    assert acme.http.post("/api/audit/purge", json=purge).status_code == 403
    assert audit(acme, action="files.upload", file_path="secret.txt")


def test_records_are_exported_as_lines_and_purged(acme: Tenant, cluster: Cluster) -> None:
    for number in range(5):
        acme.upload(f"{number}.txt", b"x")
    export = acme.http.get("/api/audit/export", params={"action": "files.upload"})
    lines = [json.loads(line) for line in export.text.splitlines()]
    assert [line["file_path"] for line in lines[:2]] == ["4.txt", "3.txt"]
    page = acme.http.get("/api/audit", params={"action": "files.upload", "limit": 4}).json()
    rest = audit(acme, action="files.upload", limit=4, cursor=page["next_cursor"])
    assert [r["file_path"] for r in page["items"] + rest] == [r["file_path"] for r in lines]
    with cluster.admin() as admin:
        purge = {"tenant_id": acme.tenant_id, "before": "2000-01-01T00:00:00Z"}
        assert admin.post("/api/audit/purge", json=purge).json() == {"removed": 0}
        purge["before"] = "2999-01-01T00:00:00Z"
        assert admin.post("/api/audit/purge", json=purge).json()["removed"] >= 6
    assert [r["action"] for r in audit(acme)] == ["audit.purge"]


def test_a_tenant_sees_no_record_of_another_or_of_the_installation(
    acme: Tenant, make_tenant: Callable[[str], Tenant], cluster: Cluster
) -> None:
    other = make_tenant("local")
    foreign = audit(acme)[0]["audit_id"]
    assert other.http.get(f"/api/audit/{foreign}").status_code == 404
    assert other.http.get("/api/audit", params={"tenant_id": acme.tenant_id}).status_code == 404
    actions = {r["action"] for r in audit(other)}
    assert actions <= {"storages.put", "tenants.create", "tenants.rotate-webhook-secret"}
    with cluster.admin() as admin:
        admin.post("/api/instance/activate")
        installed = {r["action"] for r in admin.get("/api/audit").json()["items"]}
    assert "instance.activate" in installed
    assert "instance.activate" not in {r["action"] for r in audit(other)}
