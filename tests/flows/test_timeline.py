"""Why a document does not open, in plain words."""

from collections.abc import Callable, Generator
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
def address(tmp_path: Path) -> Generator[SigningEditor]:
    with signing_editor(tmp_path) as editor:
        yield editor


@pytest.fixture
def acme(make_tenant: Callable[[str], Tenant], cluster: Cluster, address: SigningEditor) -> Tenant:
    tenant = make_tenant("local")
    for name in ("a.txt", "photo.jpg"):
        tenant.upload(name, b"hello")
    for name, proof in (("office", "off"), ("signing", "required")):
        editor = {"name": name, "kind": "collabora", "url": address.url, "proof": proof}
        with cluster.admin() as admin:
            admin.post("/api/editors", json={"tenant_id": tenant.tenant_id, **editor})
    return tenant


def timeline(tenant: Tenant, client: EditorClient) -> dict[str, Any]:
    return dict(tenant.http.get(f"/api/sessions/{client.session_id}/timeline").json())


def says(tenant: Tenant, client: EditorClient, words: str) -> None:
    until(lambda: words in timeline(tenant, client)["verdict"])


def test_a_session_that_goes_well_says_so_step_by_step(acme: Tenant) -> None:
    client = acme.open(editor="office")
    says(acme, client, "The launch page was never opened")
    httpx.get(client.session["launch_url"])
    says(acme, client, "The editor never called us")
    client.info()
    says(acme, client, "has not read it yet")
    client.get()
    client.override("LOCK", "L")
    says(acme, client, "the document is open")
    client.put(b"more", "L")
    says(acme, client, "the last save was stored")
    operations = ("launch", "check_file_info", "get_file", "lock", "put_file")
    steps = [(what, 200) for what in operations]
    # Each replica writes what it answered a moment later, so that the last entry may come first.
    until(lambda: [(i["what"], i["status"]) for i in timeline(acme, client)["items"]] == steps)
    assert timeline(acme, client)["notes"] == ["office: chosen"]


def test_what_goes_wrong_is_said_with_what_to_do(acme: Tenant, address: SigningEditor) -> None:
    photo = acme.open("photo.jpg", editor="office")
    says(acme, photo, "There is no editor for this file: office: does not open .jpg")
    unsigned = acme.open(editor="signing")
    assert unsigned.call("GET").status_code == 500
    says(acme, unsigned, "The editor's proof was refused")
    assert unsigned.call("GET", "", address.signed(unsigned)).status_code == 200
    says(acme, unsigned, "has not read it yet")
    first, second = acme.open(editor="office", user="Anna"), acme.open(editor="office")
    first.override("LOCK", "A")
    second.info()
    second.get()
    second.override("LOCK", "B")
    says(acme, second, "Opened read-only: Anna is editing this file since")
    first.put(b"x", "A", "2020-01-01T00:00:00.000000Z")
    says(acme, first, "The last save was refused, and its bytes were kept")
    acme.http.post(f"/api/sessions/{first.session_id}/revoke")
    first.call("GET")
    says(acme, first, "The session has ended")


def test_another_tenant_sees_no_timeline(
    acme: Tenant, make_tenant: Callable[[str], Tenant]
) -> None:
    client = acme.open(editor="office")
    other = make_tenant("local")
    url = f"/api/sessions/{client.session_id}/timeline"
    assert other.http.get(url).status_code == 404
