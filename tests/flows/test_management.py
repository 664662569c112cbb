"""The management API: bad input, tenants among themselves, callbacks that fail at first."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster

pytestmark = pytest.mark.flow

SESSION = {
    "storage_name": "docs",
    "file_path": "a.txt",
    "permissions": ["view"],
    "account": "sales",
}


@pytest.fixture
def acme(make_tenant: Callable[[str], Tenant]) -> Tenant:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"hello")
    return tenant


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"storage_name": "nowhere"}, 404),
        ({"file_path": "missing.txt"}, 404),
        ({"file_path": "../a.txt"}, 422),
        ({"file_path": "/etc/passwd"}, 422),
        ({"file_path": "a\\b"}, 422),
        ({"permissions": ["view", "fly"]}, 422),
        ({"permissions": []}, 422),
        ({"account": ""}, 422),
        ({"account": None}, 422),
        ({"ttl_seconds": -1}, 422),
        ({"options": {"watermark": "x"}}, 422),
        ({"editor": "unknown"}, 422),
        ({"colour": "red"}, 422),
    ],
    ids=str,
)
def test_a_bad_session_is_refused_with_a_reason(
    acme: Tenant, change: dict[str, Any], status: int
) -> None:
    answer = acme.http.post("/api/sessions/create", json={**SESSION, **change})
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["detail"]


def test_all_wrong_fields_are_named_at_once(acme: Tenant) -> None:
    answer = acme.http.post("/api/sessions/create", json={"ttl_seconds": "x", "colour": 1})
    named = {error["field"] for error in answer.json()["errors"]}
    required = {"storage_name", "file_path", "permissions", "account"}
    assert named == required | {"ttl_seconds", "colour"}


def test_a_body_that_is_no_json_is_a_bad_request(acme: Tenant) -> None:
    answer = acme.http.post("/api/sessions/create", content=b"{not json")
    assert answer.status_code == 400


def test_without_a_token_nothing_is_shown(cluster: Cluster) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-API-Token": "gwk_t0.a.b"}):
        answer = httpx.get(f"{cluster.url}/api/tenants", headers=headers)
        assert answer.status_code == 401


def test_a_wrong_token_with_a_tenant_is_still_wrong(cluster: Cluster) -> None:
    answer = httpx.get(
        f"{cluster.url}/api/storages?tenant_id=t0", headers={"Authorization": "Bearer x"}
    )
    assert answer.status_code == 401


def test_a_tenants_key_is_no_admin_token(acme: Tenant) -> None:
    assert acme.http.get("/api/tenants").status_code == 403


def test_a_tenant_reaches_nothing_of_another(
    acme: Tenant, make_tenant: Callable[[str], Tenant]
) -> None:
    other = make_tenant("local")
    session = acme.open()
    named = {"tenant_id": acme.tenant_id}
    calls = [
        other.http.get(f"/api/tenants/{acme.tenant_id}"),
        other.http.get("/api/storages", params=named),
        other.http.get("/api/storages/docs/files/content", params={"path": "a.txt", **named}),
        other.http.get(f"/api/sessions/{session.session_id}"),
        other.http.get("/api/sessions", params=named),
        other.http.post(f"/api/sessions/{session.session_id}/revoke"),
        other.http.post("/api/sessions/create", json={**SESSION, **named}),
        other.http.get("/api/storages/docs/files/content", params={"path": "a.txt"}),
    ]
    assert [c.status_code for c in calls] == [404] * len(calls)
    assert session.call("GET").status_code == 200


def test_a_suspended_tenant_gets_nothing(acme: Tenant, cluster: Cluster) -> None:
    with cluster.admin() as admin:
        admin.patch(f"/api/tenants/{acme.tenant_id}", json={"active": False})
    assert acme.http.post("/api/sessions/create", json=SESSION).status_code == 401


def test_a_disabled_tenant_cannot_edit(acme: Tenant, cluster: Cluster) -> None:
    with cluster.admin() as admin:
        admin.patch(f"/api/tenants/{acme.tenant_id}", json={"wopi_mode": "disabled"})
    assert acme.http.post("/api/sessions/create", json=SESSION).status_code == 403


def test_a_folder_outside_the_roots_is_no_storage(acme: Tenant) -> None:
    for base_path in ("/", "/etc", "relative", "/tmp/../etc"):
        storage = {"name": "bad", "protocol": "local", "config": {"base_path": base_path}}
        assert acme.http.post("/api/storages", json=storage).status_code == 422


def test_secrets_are_never_shown_again(make_tenant: Callable[[str], Tenant]) -> None:
    tenant = make_tenant("s3")
    shown = tenant.http.get("/api/storages/docs").text
    assert "secretsecret" not in shown
    assert "enc:v1" not in shown


def test_a_file_is_created_from_a_template_once(acme: Tenant) -> None:
    new = {"path": "letters/offer.docx"}
    first = acme.http.post("/api/storages/docs/files", json=new)
    second = acme.http.post("/api/storages/docs/files", json=new)
    assert (first.status_code, second.status_code) == (201, 409)
    assert acme.download("letters/offer.docx")[:2] == b"PK"


def test_an_upload_can_be_conditional(acme: Tenant) -> None:
    version = acme.upload("b.txt", b"one").json()["version"]
    assert acme.upload("b.txt", b"x", **{"If-None-Match": "*"}).status_code == 412
    assert acme.upload("b.txt", b"two", **{"If-Match": f'"{version}"'}).status_code == 200
    assert acme.upload("b.txt", b"three", **{"If-Match": f'"{version}"'}).status_code == 412
    assert acme.download("b.txt") == b"two"


def test_sessions_are_listed_without_tokens(acme: Tenant) -> None:
    session = acme.open()
    answer = acme.http.get("/api/sessions", params={"state": "active", "file_path": "a.txt"})
    assert [s["session_id"] for s in answer.json()["items"]] == [session.session_id]
    assert session.token not in answer.text


def test_the_launch_page_is_gone_with_the_session(acme: Tenant) -> None:
    session = acme.open()
    launch_url = session.session["launch_url"]
    assert httpx.get(launch_url).status_code == 503
    acme.http.post(f"/api/sessions/{session.session_id}/revoke")
    assert httpx.get(launch_url).status_code == 404


def test_a_callback_that_fails_is_sent_again_in_order(acme: Tenant) -> None:
    acme.application.refuse_next = 2
    session = acme.open()
    session.get()
    acme.application.wait_for(session.session_id, "document_opened")
    events = [e for e in acme.application.events if e["session_id"] == session.session_id]
    assert [(e["event"], e["sequence"]) for e in events] == [
        ("session_created", 1),
        ("document_opened", 2),
    ]


def test_the_old_addresses_answer(acme: Tenant) -> None:
    created = acme.http.post("/sessions/create", json=SESSION)
    assert created.status_code == 201
    listed = acme.http.get("/sessions/list")
    assert created.json()["session_id"] in listed.text


def test_the_api_describes_itself(cluster: Cluster) -> None:
    document = httpx.get(f"{cluster.url}/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert "/api/sessions/create" in document["paths"]
    assert httpx.get(f"{cluster.url}/docs").status_code == 200


def test_no_secret_reaches_the_log(acme: Tenant, cluster: Cluster) -> None:
    session = acme.open()
    session.get()
    session.override("LOCK", "secret-lock")
    log = cluster.log.read_text()
    assert session.token not in log
    assert acme.http.headers["Authorization"].removeprefix("Bearer ") not in log


def test_a_suspended_installation_opens_nothing_new_and_still_saves(
    acme: Tenant, cluster: Cluster
) -> None:
    editor = acme.open()
    editor.override("LOCK", "L")
    with cluster.admin() as admin:
        assert admin.get("/api/instance").json()["suspended"] is False
        admin.post("/api/instance/suspend", json={"reason": "Back at noon."})
        try:
            assert admin.get("/api/instance/status").json()["state"] == "suspended"
            refused = acme.http.post("/api/sessions/create", json=SESSION)
            assert (refused.status_code, refused.json()["detail"]) == (503, "Back at noon.")
            assert editor.put(b"still saved", "L").status_code == 200
        finally:
            assert admin.post("/api/instance/activate").json()["suspended"] is False
        renamed = admin.patch("/api/instance", json={"name": "Acme's documents"}).json()
        assert renamed["name"] == "Acme's documents"
    assert acme.http.post("/api/sessions/create", json=SESSION).status_code == 201
    assert acme.http.get("/api/instance").status_code == 403


def test_only_the_operator_mounts_what_genro_storage_reaches(
    make_tenant: Callable[[str], Tenant], cluster: Cluster
) -> None:
    tenant = make_tenant("local")
    folder = cluster.data_dir / "files" / "mounted"
    mount = {"name": "mounted", "protocol": "genro", "config": {"protocol": "local"}}
    assert tenant.http.post("/api/storages", json=mount).status_code == 403
    with cluster.admin() as admin:
        request = {"tenant_id": tenant.tenant_id, **mount}
        for path in ("/etc", "", str(folder / ".." / ".." / "..")):
            request["config"] = {"protocol": "local", "path": path}
            assert admin.post("/api/storages", json=request).status_code == 422
        request["config"] = {"protocol": "memory"}
        assert admin.post("/api/storages", json=request).status_code == 422
        folder.mkdir(parents=True)
        request["config"] = {"protocol": "local", "path": str(folder)}
        made = admin.post("/api/storages", json=request)
        assert made.json()["probe"]["storage_class"] == "B"
        changes: list[dict[str, Any]] = [{"config": {"path": "/etc"}}, {"config": {}}]
        for change in (*changes, {"versions": {"keep_count": 1}}):
            assert tenant.http.patch("/api/storages/mounted", json=change).status_code == 403
        owned = {"tenant_id": tenant.tenant_id, "versions": {"keep_count": 9}}
        assert admin.patch("/api/storages/mounted", json=owned).status_code == 200
        shown = tenant.http.get("/api/storages/mounted").json()
    assert (shown["config"]["path"], shown["versions"]["keep_count"]) == (str(folder), 9)
    content = "/api/storages/mounted/files/content"
    assert tenant.http.put(content, params={"path": "a.txt"}, content=b"hello").status_code == 200
    editor = replace(tenant, storage="mounted").open()
    editor.get()
    editor.override("LOCK", "L")
    assert editor.put(b"typed", "L").status_code == 200
    assert (folder / "a.txt").read_bytes() == b"typed"


def test_a_tenant_registers_no_folder_of_another(
    make_tenant: Callable[[], Tenant], cluster: Cluster
) -> None:
    acme, other = make_tenant(), make_tenant()
    files = cluster.data_dir / "files"
    (files / f"link-{other.tenant_id}").symlink_to(files / acme.tenant_id)
    for path in (acme.tenant_id, f"{acme.tenant_id}/inside", "", f"link-{other.tenant_id}"):
        config = {"base_path": str(files / path)}
        storage = {"name": "theirs", "protocol": "local", "config": config}
        answer = other.http.post("/api/storages", json=storage)
        assert answer.status_code == 422, f"{path}: {answer.text}"
        moved = other.http.patch("/api/storages/docs", json={"config": config})
        assert moved.status_code == 422, f"{path}: {moved.text}"
    free = {"base_path": str(files / other.tenant_id / "more")}
    storage = {"name": "more", "protocol": "local", "config": free}
    assert other.http.post("/api/storages", json=storage).status_code == 201


def test_a_tenant_uses_no_credentials_of_the_operator(
    make_tenant: Callable[[str], Tenant], s3_url: str, bucket: str
) -> None:
    tenant = make_tenant("s3")
    config = {"bucket": bucket, "endpoint_url": s3_url, "prefix": "x"}
    bare = {"name": "bare", "protocol": "s3", "config": config}
    refused = tenant.http.post("/api/storages", json=bare)
    assert refused.status_code == 422
    assert "keys of your own" in refused.text
    elsewhere = {"config": {"endpoint_url": "http://127.0.0.2:9"}}
    moved = tenant.http.patch("/api/storages/docs", json=elsewhere)
    assert moved.status_code == 422
    assert "give secret_access_key again" in moved.text
    prefix = {"config": {"prefix": f"{tenant.tenant_id}-2"}}
    assert tenant.http.patch("/api/storages/docs", json=prefix).status_code == 200


@pytest.mark.parametrize(
    "list_of", ["storages", "editors", "api-keys", "versions", "sessions", "audit"]
)
def test_every_list_comes_in_pages(
    make_tenant: Callable[[], Tenant], cluster: Cluster, list_of: str
) -> None:
    tenant = make_tenant()
    more: dict[str, Any] = {"tenant_id": tenant.tenant_id}
    url = f"/api/{list_of}"
    with cluster.admin() as admin:
        for number in range(5):
            content = str(number).encode()
            tenant.upload("a.txt", content)
            tenant.open("a.txt")
            base_path = str(cluster.data_dir / "files" / tenant.tenant_id / f"{number}")
            storage = {
                "name": f"s{number}",
                "protocol": "local",
                "config": {"base_path": base_path},
            }
            assert tenant.http.post("/api/storages", json=storage).status_code == 201
            editor = {"name": f"e{number}", "kind": "generic", "url": "http://127.0.0.1:9"}
            assert tenant.http.post("/api/editors", json=editor).status_code == 201
            admin.post(f"/api/tenants/{tenant.tenant_id}/api-keys", json={})
        if list_of == "api-keys":
            url, more = f"/api/tenants/{tenant.tenant_id}/api-keys", {}
        if list_of == "versions":
            url, more = "/api/storages/docs/files/versions", more | {"path": "a.txt"}
        whole = admin.get(url, params={**more, "limit": 1000}).json()["items"]
        pages: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = admin.get(url, params={**more, "limit": 2, "cursor": cursor})
            assert len(answer.json()["items"]) <= 2
            pages += answer.json()["items"]
            cursor = answer.json()["next_cursor"]
    assert len(whole) >= 5
    assert pages == whole
