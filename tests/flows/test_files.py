"""Files, versions, recovery copies and locks through the management API, on each back end."""

from collections.abc import Callable

import pytest

from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster

pytestmark = pytest.mark.flow

FILES = "/api/storages/docs/files"


def versions(tenant: Tenant, path: str = "a.txt") -> list[dict[str, object]]:
    answer = tenant.http.get(f"{FILES}/versions", params={"path": tenant.folder + path})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def restore(tenant: Tenant, version: object) -> int:
    body = {"path": f"{tenant.folder}a.txt", "version": version}
    return tenant.http.post(f"{FILES}/restore", json=body).status_code


def test_every_save_is_a_version_that_can_be_read_and_restored(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"one")
    editor = tenant.open()
    editor.get()
    editor.override("LOCK", "L")
    editor.put(b"two", "L", editor.info()["LastModifiedTime"])
    first, second = versions(tenant)
    assert (first["is_current"], second["is_current"]) == (True, False)
    assert first["version"] == editor.info()["Version"]
    query = {"path": f"{tenant.folder}a.txt", "version": str(second["version"])}
    assert tenant.http.get(f"{FILES}/content", params=query).content == b"one"
    assert restore(tenant, second["version"]) == 409
    editor.override("UNLOCK", "L")
    assert restore(tenant, second["version"]) == 200
    assert tenant.download("a.txt") == b"one"
    assert restore(tenant, "nothing") == 404
    assert len(versions(tenant)) == 3


def test_a_file_and_an_empty_folder_are_deleted(tenant: Tenant) -> None:
    folder = tenant.folder + "sub"
    made = tenant.http.post("/api/storages/docs/folders", json={"path": folder})
    assert (made.status_code, made.json()) == (201, {"path": folder})
    again = tenant.http.post("/api/storages/docs/folders", json={"path": folder})
    assert again.status_code == 409
    tenant.upload("sub/a.txt", b"x")
    assert tenant.http.delete(FILES, params={"path": folder}).status_code == 409
    editor = tenant.open("sub/a.txt")
    editor.override("LOCK", "L")
    query = {"path": f"{folder}/a.txt"}
    refused = tenant.http.delete(FILES, params=query)
    assert refused.status_code == 409
    assert "Anna is editing" in refused.json()["detail"]
    editor.override("UNLOCK", "L")
    assert tenant.http.delete(FILES, params=query).status_code == 204
    assert tenant.http.get(f"{FILES}/content", params=query).status_code == 404
    assert tenant.http.delete(FILES, params={"path": folder}).status_code == 204
    assert tenant.http.delete(FILES, params={"path": folder}).status_code == 404


def test_a_deleted_file_is_taken_back_with_its_id_and_versions(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"one")
    tenant.upload("a.txt", b"two")
    path = f"{tenant.folder}a.txt"
    file_id = tenant.open().session["file_id"]
    assert tenant.http.delete(FILES, params={"path": path}).status_code == 204
    tenant.upload("a.txt", b"another file")
    listed = tenant.http.get(f"{FILES}/deleted").json()["items"]
    (deleted,) = [d for d in listed if d["file_id"] == file_id]
    assert deleted["path"] == path
    back = tenant.http.post(f"{FILES}/undelete", json={"file_id": file_id})
    assert back.json() == {"path": f"{tenant.folder}a (1).txt", "file_id": file_id}
    assert tenant.download("a (1).txt") == b"two"
    assert tenant.open("a (1).txt").session["file_id"] == file_id
    query = {"path": f"{tenant.folder}a (1).txt"}
    assert len(tenant.http.get(f"{FILES}/versions", params=query).json()["items"]) == 2
    assert tenant.http.post(f"{FILES}/undelete", json={"file_id": file_id}).status_code == 404


def test_a_storage_says_how_long_versions_are_kept(tenant: Tenant) -> None:
    url = f"/api/storages/{tenant.storage}"
    policy = {"coalesce_seconds": 60, "keep_count": 10, "keep_days": 30}
    assert tenant.http.patch(url, json={"versions": policy}).json()["versions"] == policy
    assert tenant.http.patch(url, json={"versions": {"keep_count": 0}}).status_code == 422
    everything = {"coalesce_seconds": 0, "keep_count": None, "keep_days": None}
    assert tenant.http.patch(url, json={"versions": {}}).json()["versions"] == everything


def test_a_refused_save_is_listed_read_and_taken_back(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    editor = tenant.open()
    stamp = editor.info()["LastModifiedTime"]
    editor.get()
    editor.override("LOCK", "L")
    tenant.upload("a.txt", b"changed outside")
    assert editor.put(b"typed in vain", "L", stamp).status_code == 409
    items = tenant.http.get("/api/recovery", params={"limit": 1000}).json()["items"]
    (copy,) = [i for i in items if i["session_id"] == editor.session_id]
    assert (copy["size"], copy["file_path"]) == (13, f"{tenant.folder}a.txt")
    url = f"/api/recovery/{copy['recovery_id']}"
    assert tenant.http.get(f"{url}/content").content == b"typed in vain"
    assert tenant.http.post(f"{url}/restore").status_code == 409
    beside = tenant.http.post(f"{url}/restore", json={"target": "beside"})
    assert beside.json()["path"] == f"{tenant.folder}a (1).txt"
    assert tenant.download("a (1).txt") == b"typed in vain"
    editor.override("UNLOCK", "L")
    assert tenant.http.post(f"{url}/restore").status_code == 200
    assert tenant.download("a.txt") == b"typed in vain"
    assert b"changed outside" in {
        tenant.http.get(
            f"{FILES}/content",
            params={"path": f"{tenant.folder}a.txt", "version": str(v["version"])},
        ).content
        for v in versions(tenant)
    }
    assert tenant.http.get("/api/recovery/nothing/content").status_code == 404


def test_a_stuck_lock_is_found_and_ended(tenant: Tenant, cluster: Cluster) -> None:
    tenant.upload("a.txt", b"hello")
    editor, other = tenant.open(), tenant.open(user="Mario")
    editor.get()
    editor.override("LOCK", "L")
    listed = tenant.http.get("/api/locks").json()["items"]
    (lock,) = [i for i in listed if i["file_id"] == editor.session["file_id"]]
    assert (lock["holder"], lock["session_id"]) == ("Anna", editor.session_id)
    url = f"/api/locks/{lock['file_id']}/force-unlock"
    assert tenant.http.post(url, json={"reason": "went home"}).status_code == 204
    assert tenant.http.post(url).status_code == 409
    assert other.override("LOCK", "M").status_code == 200
    assert editor.put(b"late", "L").status_code == 409
    event = tenant.application.wait_for(editor.session_id, "lock_released")
    assert (event["forced"], event["reason"]) == (True, "went home")
    tenant.application.wait_for(editor.session_id, "save_rescued")
    with cluster.admin() as admin:
        assert admin.post(url).status_code == 204


def test_a_tenant_reaches_no_file_version_lock_or_copy_of_another(
    tenant: Tenant, make_tenant: Callable[[str], Tenant]
) -> None:
    other = make_tenant("local")
    tenant.upload("a.txt", b"hello")
    editor = tenant.open()
    editor.get()
    editor.override("LOCK", "L")
    tenant.upload("a.txt", b"changed")
    editor.put(b"mine", "L", "2020-01-01T00:00:00.000000Z")
    event = tenant.application.wait_for(editor.session_id, "save_rescued")
    path, named = f"{tenant.folder}a.txt", {"tenant_id": tenant.tenant_id}
    copy = f"/api/recovery/{event['recovery_id']}"
    calls = [
        other.http.get(f"{FILES}/versions", params={"path": path, **named}),
        other.http.get(f"{FILES}/versions", params={"path": path}),
        other.http.post(f"{FILES}/restore", json={"path": path, "version": "1", **named}),
        other.http.delete(FILES, params={"path": path, **named}),
        other.http.delete(FILES, params={"path": path}),
        other.http.post("/api/storages/docs/folders", json={"path": "x", **named}),
        other.http.get("/api/locks", params=named),
        other.http.post(f"/api/locks/{editor.session['file_id']}/force-unlock"),
        other.http.post(f"/api/locks/{editor.session['file_id']}/force-unlock", json=named),
        other.http.get("/api/recovery", params=named),
        other.http.get(f"{copy}/content"),
        other.http.post(f"{copy}/restore"),
        other.http.post(f"{copy}/restore", json=named),
        other.http.post("/api/sessions/cleanup", json=named),
    ]
    assert [c.status_code for c in calls] == [404] * len(calls)
    assert other.http.get("/api/recovery").json()["items"] == []


def test_ended_sessions_are_counted_and_forgotten(tenant: Tenant) -> None:
    tenant.upload("a.txt", b"hello")
    gone, alive = tenant.open(), tenant.open()
    tenant.http.post(f"/api/sessions/{gone.session_id}/revoke")
    counted = tenant.http.post("/api/sessions/cleanup", params={"dry_run": "true"}).json()
    assert counted["dry_run"] is True
    assert counted["removed"] >= 1
    assert tenant.http.get(f"/api/sessions/{gone.session_id}").status_code == 200
    assert tenant.http.post("/sessions/cleanup").json()["removed"] == counted["removed"]
    assert tenant.http.get(f"/api/sessions/{gone.session_id}").status_code == 404
    assert tenant.http.get(f"/api/sessions/{alive.session_id}").status_code == 200
    assert gone.call("GET").status_code == 401
