"""People share a document while one token speaks for all; pages are renewed; copies are kept."""

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster
from tests.support.editor import EditorClient
from tests.support.signing_editor import SigningEditor, signing_editor
from tests.support.waiting import until

pytestmark = pytest.mark.flow


@pytest.fixture
def tenant(make_tenant: Any) -> Tenant:
    made: Tenant = make_tenant("local")
    made.upload("a.txt", b"hello")
    return made


def state_of(tenant: Tenant, session_id: str) -> dict[str, Any]:
    return dict(tenant.http.get(f"/api/sessions/{session_id}").json())


def test_a_silent_person_saves_after_her_idle_life(tenant: Tenant) -> None:
    anna, ben = tenant.open(ttl_seconds=2), tenant.open(ttl_seconds=60)
    stamp = anna.info()["LastModifiedTime"]
    anna.get()
    assert anna.override("LOCK", "L").status_code == 200
    ben.info()
    first = state_of(tenant, anna.session_id)["expires_at"]

    def refreshed_on() -> bool:
        assert ben.override("LOCK", "L").status_code == 200
        return state_of(tenant, anna.session_id)["expires_at"] > first

    for _ in range(3):
        until(refreshed_on)
        first = state_of(tenant, anna.session_id)["expires_at"]
    assert state_of(tenant, anna.session_id)["state"] == "active"
    assert anna.put(b"typed at last", "L", stamp).status_code == 200
    assert anna.override("UNLOCK", "L").status_code == 200


def test_a_maximum_below_the_idle_life_is_honoured(tenant: Tenant) -> None:
    anna = tenant.open(ttl_seconds=3600, options={"max_lifetime_seconds": 2})
    until(lambda: state_of(tenant, anna.session_id)["state"] == "expired")
    seen = state_of(tenant, anna.session_id)
    assert seen["expires_at"] == seen["ends_at"]


def test_what_a_revoked_person_typed_is_listed_restored_and_told(tenant: Tenant) -> None:
    anna = tenant.open()
    anna.get()
    anna.override("LOCK", "L")
    tenant.http.post(f"/api/sessions/{anna.session_id}/revoke")
    assert anna.put(b"typed in vain", "L").status_code == 401
    [copy] = tenant.http.get("/api/recovery").json()["items"]
    assert copy["session_id"] == anna.session_id
    events = tenant.application.events
    until(lambda: copy["recovery_id"] in [e.get("recovery_id") for e in events])
    url = f"/api/sessions/{anna.session_id}/timeline"
    until(lambda: copy["recovery_id"] in tenant.http.get(url).json()["verdict"])
    restored = tenant.http.post(f"/api/recovery/{copy['recovery_id']}/restore", json={})
    assert restored.status_code == 200, restored.text
    ben = tenant.open()
    assert ben.override("LOCK", "other").status_code == 200, "the lock was released"


def launched(page: httpx.Response) -> dict[str, Any]:
    found = re.search(r'id="launch-data">(.*?)</script>', page.text)
    assert found is not None
    return dict(json.loads(found[1]))


def renewed(tenant: Tenant, data: dict[str, Any], token: str) -> dict[str, Any]:
    answer = httpx.post(data["renewAt"], headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def opens_with_page(tenant: Tenant, address: SigningEditor, cluster: Cluster, **more: Any) -> Any:
    """Open a document with an editor; return it, its page and what the page's script is told."""
    editor = {"name": "office", "kind": "collabora", "url": address.url, "proof": "off"}
    with cluster.admin() as admin:
        admin.post("/api/editors", json={"tenant_id": tenant.tenant_id, **editor})
    client = tenant.open(editor="office", **more)
    page = httpx.get(client.session["launch_url"])
    return client, page, launched(page)


@pytest.fixture
def address(tmp_path: Path) -> Generator[SigningEditor]:
    with signing_editor(tmp_path) as editor:
        yield editor


def test_collabora_is_told_no_end_and_the_page_is(
    tenant: Tenant, address: SigningEditor, cluster: Cluster
) -> None:
    client, page, data = opens_with_page(tenant, address, cluster, ttl_seconds=900)
    assert 'name="access_token_ttl" value="0"' in page.text
    assert data["idleMs"] == 900_000
    assert data["endsAt"] == client.session["access_token_ttl"]
    assert data["fileName"] == "a.txt"


def test_a_page_is_opened_again_after_its_idle_life(
    tenant: Tenant, address: SigningEditor, cluster: Cluster
) -> None:
    client, page, _ = opens_with_page(tenant, address, cluster, ttl_seconds=1)
    client.info()
    client.get()
    assert client.override("LOCK", "L").status_code == 200
    until(lambda: state_of(tenant, client.session_id)["state"] == "expired")
    again = httpx.get(client.session["launch_url"], cookies=page.cookies)
    assert again.status_code == 200
    assert state_of(tenant, client.session_id)["state"] == "active"


def test_a_copy_is_renewed_with_the_session_that_it_was_made_from(
    tenant: Tenant, address: SigningEditor, cluster: Cluster
) -> None:
    client, _, data = opens_with_page(tenant, address, cluster, ttl_seconds=2)
    made = client.call(
        "POST", "", {"X-WOPI-Override": "PUT_RELATIVE", "X-WOPI-SuggestedTarget": "b.txt"}, b"copy"
    )
    src, _, token = made.json()["Url"].partition("?access_token=")
    copy = EditorClient(tenant.http, {"wopi_src": src, "access_token": token, "session_id": ""})
    copy.info()

    def lived_on() -> dict[str, Any]:
        items = tenant.http.get("/api/sessions").json()["items"]
        return next(i for i in items if i["file_path"].endswith("b.txt"))

    first = lived_on()
    renewed(tenant, data, client.token)
    assert lived_on()["ends_at"] >= first["ends_at"]
    assert lived_on()["expires_at"] > first["expires_at"]
    copy.info()
    assert copy.override("LOCK", "L").status_code == 200
    assert copy.put(b"saved with its own token", "L").status_code == 200


def test_what_is_read_at_its_own_address_counts_as_read(make_tenant: Any) -> None:
    tenant: Tenant = make_tenant("s3")
    config = tenant.http.get("/api/storages/docs").json()["config"]
    secret = {"secret_access_key": "secretsecret", "file_url": True}
    answer = tenant.http.patch("/api/storages/docs", json={"config": {**config, **secret}})
    assert answer.status_code == 200, answer.text
    tenant.upload("a.txt", b"hello")
    anna = tenant.open()
    tenant.upload("a.txt", b"written after the session began")
    info = anna.info()
    assert httpx.get(info["FileUrl"]).content == b"written after the session began"
    assert anna.override("LOCK", "L").status_code == 200
    saved = anna.put(b"typed", "L", info["LastModifiedTime"])
    assert saved.status_code == 200, saved.text
    assert state_of(tenant, anna.session_id)["opened"]
    assert anna.put(b"typed on", "L", saved.json()["LastModifiedTime"]).status_code == 200
