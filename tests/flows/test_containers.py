"""Containers, ecosystem, bootstrapper, and what editors tell about people, on each back end."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster
from tests.support.editor import EditorClient
from tests.support.waiting import until

pytestmark = pytest.mark.flow


def opened(tenant: Tenant, url: str) -> EditorClient:
    src, _, token = url.partition("?access_token=")
    return EditorClient(tenant.http, {"wopi_src": src, "access_token": token, "session_id": ""})


def editor_of(tenant: Tenant, name: str = "a.txt", **options: Any) -> EditorClient:
    tenant.upload(name, b"hello")
    return tenant.open(name, options={"containers": True, **options})


def root_of(tenant: Tenant, editor: EditorClient) -> EditorClient:
    pointer = editor.call("GET", "/ecosystem_pointer").json()["Url"]
    ecosystem = opened(tenant, pointer)
    assert ecosystem.info()["SupportsContainers"] is True
    root = ecosystem.call("GET", "/root_container_pointer").json()["ContainerPointer"]
    return opened(tenant, root["Url"])


def create(container: EditorClient, kind: str, **headers: str) -> httpx.Response:
    named = {f"X-WOPI-{name}": value for name, value in headers.items()}
    return container.call("POST", "", {"X-WOPI-Override": f"CREATE_CHILD_{kind}", **named})


def test_the_root_container_is_the_folder_of_the_file(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    tenant.upload("sub/inner.docx", b"inner")
    root = root_of(tenant, editor)
    info = root.info()
    assert info["Name"] == tenant.folder.strip("/")
    assert (info["UserCanCreateChildFile"], info["UserCanDelete"]) == (True, False)
    assert root.call("GET", "/ancestry").json() == {"AncestorsWithRootFirst": []}
    children = root.call("GET", "/children").json()
    assert [c["Name"] for c in children["ChildContainers"]] == ["sub"]
    (child,) = children["ChildFiles"]
    file = editor.info()
    for name in ("Version", "Size", "LastModifiedTime"):
        assert child[name] == file[name]
    assert opened(tenant, child["Url"]).get().content == b"hello"


def test_children_are_filtered_by_extension(tenant: Tenant) -> None:
    root = root_of(tenant, editor_of(tenant))
    tenant.upload("b.DOCX", b"x")
    listed = root.call("GET", "/children", {"X-WOPI-FileExtensionFilterList": ".docx,.xlsx"})
    assert [c["Name"] for c in listed.json()["ChildFiles"]] == ["b.DOCX"]


def test_ancestors_are_named_from_the_root(tenant: Tenant) -> None:
    root = root_of(tenant, editor_of(tenant))
    made = create(root, "CONTAINER", RelativeTarget="one").json()["ContainerPointer"]
    one = opened(tenant, made["Url"])
    file = opened(tenant, create(one, "FILE", RelativeTarget="b.txt").json()["Url"])
    above = file.call("GET", "/ancestry").json()["AncestorsWithRootFirst"]
    assert [a["Name"] for a in above] == [root.info()["Name"], "one"]
    assert opened(tenant, above[1]["Url"]).info()["Name"] == "one"


def test_a_container_is_created_renamed_with_all_ids_and_deleted(tenant: Tenant) -> None:
    root = root_of(tenant, editor_of(tenant))
    made = create(root, "CONTAINER", SuggestedTarget="one").json()["ContainerPointer"]
    assert made["Name"] == "one"
    one = opened(tenant, made["Url"])
    file = opened(tenant, create(one, "FILE", SuggestedTarget="b.txt").json()["Url"])
    file.override("LOCK", "L")
    taken = create(root, "CONTAINER", RelativeTarget="one")
    assert taken.status_code == 409
    assert taken.headers["X-WOPI-ValidRelativeTarget"] == "one (1)"
    full = one.call("POST", "", {"X-WOPI-Override": "DELETE_CONTAINER"})
    assert full.status_code == 409
    rename = {"X-WOPI-Override": "RENAME_CONTAINER", "X-WOPI-RequestedName": "two"}
    assert one.call("POST", "", rename).json() == {"Name": "two"}
    assert one.info()["Name"] == "two"
    assert file.put(b"still mine", "L").status_code == 200
    assert tenant.download("two/b.txt") == b"still mine"
    assert file.override("DELETE", "L").status_code == 200
    assert one.call("POST", "", {"X-WOPI-Override": "DELETE_CONTAINER"}).status_code == 200
    assert one.call("GET").status_code == 404


def test_a_child_needs_exactly_one_target(tenant: Tenant) -> None:
    root = root_of(tenant, editor_of(tenant))
    assert create(root, "FILE").status_code == 501
    assert create(root, "FILE", RelativeTarget="x", SuggestedTarget="y").status_code == 501
    assert create(root, "FILE", RelativeTarget="a.txt").status_code == 409
    assert root.call("POST", "", {"X-WOPI-Override": "COBALT"}).status_code == 501
    assert root.call("POST", "").status_code == 400


def test_nothing_above_or_beside_the_folder_can_be_reached(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    beside = tenant.http.put(
        f"/api/storages/{tenant.storage}/files/content",
        params={"path": f"beside-{tenant.folder}secret.txt"},
        content=b"secret",
    ).json()
    headers = {
        "Authorization": f"Bearer {editor.token}",
        "X-WOPI-EcosystemOperation": "GET_NEW_ACCESS_TOKEN",
    }
    src = editor.session["wopi_src"].rpartition("/")[0]
    for file_id, status in ((beside["file_id"], 404), (editor.session["file_id"], 200)):
        answer = tenant.http.post(
            "/wopibootstrapper", headers={**headers, "X-WOPI-WopiSrc": f"{src}/{file_id}"}
        )
        assert answer.status_code == status, answer.text


def test_a_session_without_containers_sees_none(tenant: Tenant) -> None:
    editor = editor_of(tenant, containers=False)
    assert editor.info()["SupportsContainers"] is False
    ecosystem = opened(tenant, editor.call("GET", "/ecosystem_pointer").json()["Url"])
    assert ecosystem.info() == {"SupportsContainers": False}
    assert ecosystem.call("GET", "/root_container_pointer").status_code == 501


def test_the_bootstrapper_asks_for_a_token_and_names_the_person(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    refused = tenant.http.get("/wopibootstrapper", headers={"Authorization": "Bearer nothing"})
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")
    headers = {"Authorization": f"Bearer {editor.token}"}
    answer = tenant.http.get("/wopibootstrapper", headers=headers).json()["Bootstrap"]
    assert answer["UserFriendlyName"] == "Anna"
    assert opened(tenant, answer["EcosystemUrl"]).call("GET").status_code == 200
    more = {**headers, "X-WOPI-EcosystemOperation": "GET_ROOT_CONTAINER"}
    found = tenant.http.post("/wopibootstrapper", headers=more).json()["RootContainerInfo"]
    assert found["ContainerInfo"]["Name"] == found["ContainerPointer"]["Name"]


def test_what_an_editor_keeps_of_a_person_comes_back(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    headers = {"X-WOPI-Override": "PUT_USER_INFO"}
    assert "UserInfo" not in editor.info()
    assert editor.call("POST", "", headers, b"likes rulers").status_code == 200
    assert editor.info()["UserInfo"] == "likes rulers"
    assert tenant.open("a.txt").info()["UserInfo"] == "likes rulers"
    assert "UserInfo" not in tenant.open("a.txt", user="Mario").info()
    assert editor.call("POST", "", headers, b"x" * 1025).status_code == 400
    assert editor.call("POST", "", headers, "ü".encode()).status_code == 400


def test_share_urls_come_from_the_tenants_templates(tenant: Tenant, cluster: Cluster) -> None:
    editor = editor_of(tenant)
    ask = {"X-WOPI-Override": "GET_SHARE_URL", "X-WOPI-UrlType": "ReadOnly"}
    assert editor.call("POST", "", ask).status_code == 501
    wrong = {"host_urls": {"host_edit_url": "https://app.example/{nothing}"}}
    url = f"/api/tenants/{tenant.tenant_id}"
    admin = cluster.admin()
    assert admin.patch(url, json=wrong).status_code == 422
    templates = {
        "share_url_read_only": "https://app.example/see?path={file_path}",
        "host_edit_url": "https://app.example/edit/{file_id}",
    }
    assert admin.patch(url, json={"host_urls": templates}).status_code == 200
    path = f"{tenant.folder}a.txt".replace("/", "%2F")

    def share() -> httpx.Response:
        return editor.call("POST", "", ask)

    answer = eventually_ok(share)
    assert answer.json() == {"ShareUrl": f"https://app.example/see?path={path}"}
    info = editor.info()
    assert info["SupportedShareUrlTypes"] == ["ReadOnly"]
    assert info["HostEditUrl"] == f"https://app.example/edit/{editor.session['file_id']}"
    assert "HostViewUrl" not in info
    unknown = {**ask, "X-WOPI-UrlType": "Nothing"}
    assert editor.call("POST", "", unknown).status_code == 501
    admin.patch(url, json={"host_urls": None})
    admin.close()


def eventually_ok(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Configuration is cached for a few seconds by every replica."""
    until(lambda: all(ask().status_code == 200 for _ in range(4)))
    return ask()


def test_activities_are_announced_once(tenant: Tenant) -> None:
    editor = editor_of(tenant)
    activities: list[dict[str, Any]] = [
        {"Type": "WopiComment", "Id": "1", "Timestamp": "2026-01-01T00:00:00Z", "Data": {"a": 1}},
        {"Type": "Dance", "Id": "2", "Timestamp": "2026-01-01T00:00:00Z", "Data": {}},
    ]
    body = json.dumps({"Activities": activities}).encode()
    for _ in range(2):
        answer = editor.call("POST", "", {"X-WOPI-Override": "ADD_ACTIVITIES"}, body)
        first, second = answer.json()["ActivityResponses"]
        assert (first["Status"], second["Status"]) == (0, 3)
    event = tenant.application.wait_for(editor.session_id, "document_activity")
    assert json.loads(event["activity_data"]) == {"a": 1}
    assert tenant.application.names(editor.session_id).count("document_activity") == 1
    bad = editor.call("POST", "", {"X-WOPI-Override": "ADD_ACTIVITIES"}, b"{")
    assert bad.status_code == 400
