"""Editors: chosen, spread over addresses, proved by their keys; discovery that cannot be used."""

import itertools
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from dev_editor.wopi_client import ProofKey
from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster
from tests.support.editor import EditorClient
from tests.support.signing_editor import SigningEditor, signing_editor
from tests.support.waiting import until

pytestmark = pytest.mark.flow

_numbers = itertools.count()


@pytest.fixture(scope="module")
def acme(make_tenant: Callable[[str], Tenant]) -> Tenant:
    tenant = make_tenant("local")
    for name in ("a.txt", "letter.doc", "photo.jpg"):
        tenant.upload(name, b"hello")
    tenant.upload("new.txt", b"")
    return tenant


@pytest.fixture
def address(tmp_path: Path) -> Generator[SigningEditor]:
    with signing_editor(tmp_path) as editor:
        yield editor


def configure(cluster: Cluster, tenant: Tenant | None, url: str, **more: Any) -> dict[str, Any]:
    editor = {"name": f"e{next(_numbers)}", "kind": "collabora", "url": url}
    if tenant is not None:
        editor["tenant_id"] = tenant.tenant_id
    with cluster.admin() as admin:
        answer = admin.post("/api/editors", json={**editor, **more})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


def host_of(url: str | None) -> str:
    return urlsplit(url or "").netloc


def test_all_sessions_of_a_file_go_to_one_address_of_a_pool(
    acme: Tenant, cluster: Cluster, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        pool = [stack.enter_context(signing_editor(tmp_path, f"p{n}")) for n in range(3)]
        others = [a.url for a in pool[1:]]
        name = configure(cluster, acme, pool[0].url, addresses=others, proof="off")["name"]
        paths = [f"pool-{n}.txt" for n in range(12)]
        for path in paths:
            acme.upload(path, b"x")

        def addresses() -> dict[str, str]:
            return {
                path: host_of(acme.open(path, editor=name).session["editor_url"]) for path in paths
            }

        first = addresses()
        assert addresses() == first
        assert set(first.values()) == {host_of(a.url) for a in pool}
        pool[0].status = 503
        with cluster.admin() as admin:
            url, query = f"/api/editors/{name}/refresh", {"tenant_id": acme.tenant_id}
            shown = admin.post(url, params=query).json()["addresses"]
            assert [bool(a["last_error"]) for a in shown] == [True, False, False]
            lost = host_of(pool[0].url)
            moved = addresses()
            assert lost not in moved.values()
            assert all(moved[p] == first[p] for p in paths if first[p] != lost)
            pool[0].status = 200
            admin.post(url, params=query).raise_for_status()
        assert addresses() == first
        client = acme.open("a.txt", editor=name)
        shown = acme.http.get(f"/api/sessions/{client.session_id}").json()
        chosen = f"http://{host_of(client.session['editor_url'])}"
        assert shown["notes"] == [f"{name}: chosen at {chosen}"]


def test_any_address_of_a_pool_proves_itself_with_its_own_key(
    acme: Tenant, cluster: Cluster, tmp_path: Path
) -> None:
    with signing_editor(tmp_path, "one") as one, signing_editor(tmp_path, "two") as two:
        name = configure(cluster, acme, one.url, addresses=[two.url])["name"]
        client = acme.open("a.txt", editor=name)
        for address in (one, two):
            assert client.call("GET", "", address.signed(client)).status_code == 200
        stranger = ProofKey(tmp_path / "stranger.pem")
        forged = one.signed(client, key=stranger, old_key=stranger)
        assert client.call("GET", "", forged).status_code == 500


def test_legacy_files_are_converted_and_empty_ones_filled(
    acme: Tenant, cluster: Cluster, address: SigningEditor
) -> None:
    name = configure(cluster, acme, address.url)["name"]

    def action(path: str) -> str:
        return urlsplit(str(acme.open(path, editor=name).session["editor_url"])).path

    assert [action(p) for p in ("a.txt", "letter.doc", "new.txt")] == ["/edit", "/convert", "/new"]


def test_the_launch_page_fills_an_empty_file_once(
    acme: Tenant, cluster: Cluster, address: SigningEditor
) -> None:
    name = configure(cluster, acme, address.url, proof="off")["name"]
    acme.upload("blank.txt", b"")
    client, browser = acme.open("blank.txt", editor=name), acme.http
    assert "/new?" in browser.get(client.session["launch_url"]).text
    client.override("LOCK", "L")
    assert client.put(b"filled", "L").status_code == 200
    assert "/edit?" in browser.get(client.session["launch_url"]).text


def test_a_type_that_nothing_opens_is_explained(
    acme: Tenant, cluster: Cluster, address: SigningEditor
) -> None:
    name = configure(cluster, acme, address.url)["name"]
    session = acme.open("photo.jpg", editor=name).session
    assert session["editor_url"] is None
    assert session["notes"] == [f"{name}: does not open .jpg"]
    page = httpx.get(session["launch_url"])
    assert page.status_code == 503
    assert "No editor that is configured here opens this type of file." in page.text


PROOFS: dict[str, tuple[dict[str, Any], int]] = {
    "current key": ({}, 200),
    "fifteen minutes old": ({"age_s": 900}, 200),
    "stale": ({"age_s": 1260}, 500),
    "from the future": ({"age_s": -600}, 500),
    "of another address": ({"url": "http://elsewhere/wopi/files/x?access_token=y"}, 500),
}


@pytest.mark.parametrize("case", PROOFS)
def test_a_proof_is_checked(
    acme: Tenant, cluster: Cluster, address: SigningEditor, case: str
) -> None:
    signing, status = PROOFS[case]
    client = acme.open("a.txt", editor=configure(cluster, acme, address.url)["name"])
    answer = client.call("GET", "", address.signed(client, **signing))
    assert answer.status_code == status, answer.text
    assert ("X-WOPI-ServerError" in answer.headers) is (status == 500)


def test_an_unsigned_request_is_refused_once_keys_were_published(
    acme: Tenant, cluster: Cluster, address: SigningEditor
) -> None:
    client = acme.open("a.txt", editor=configure(cluster, acme, address.url)["name"])
    assert client.call("GET").status_code == 500
    junk = {"X-WOPI-Proof": "!junk", "X-WOPI-ProofOld": "", "X-WOPI-TimeStamp": "1"}
    assert client.call("GET", "", junk).status_code == 500


def test_the_proxy_before_the_host_may_change_host_and_scheme(
    acme: Tenant, cluster: Cluster, address: SigningEditor
) -> None:
    client = acme.open("a.txt", editor=configure(cluster, acme, address.url)["name"])
    headers = {**address.signed(client), "Host": "internal:1", "X-Forwarded-Proto": "https"}
    assert client.call("GET", "", headers).status_code == 200


def test_keys_are_rotated_in_the_middle_of_a_session(
    acme: Tenant, cluster: Cluster, address: SigningEditor, tmp_path: Path
) -> None:
    client = acme.open("a.txt", editor=configure(cluster, acme, address.url)["name"])
    before = address.key
    assert client.call("GET", "", address.signed(client)).status_code == 200
    address.old_key, address.key = before, ProofKey(tmp_path / "rotated.pem")
    asked = address.asked
    with cluster.admin() as admin:
        name = acme.http.get(f"/api/sessions/{client.session_id}").json()["editor"]
        admin.post(f"/api/editors/{name}/refresh", params={"tenant_id": acme.tenant_id})
    assert address.asked > asked
    assert client.call("GET", "", address.signed(client)).status_code == 200
    still_old = address.signed(client, key=before, old_key=before)
    assert client.call("GET", "", still_old).status_code == 200


def gone(cluster: Cluster, tenant_id: str | None, name: str) -> None:
    with cluster.admin() as admin:
        query = {"tenant_id": tenant_id} if tenant_id else {}
        assert admin.delete(f"/api/editors/{name}", params=query).status_code == 204


def answers(client: EditorClient, status: int, headers: dict[str, str] | None = None) -> None:
    """Wait until every replica answers so; they know editors for some seconds."""
    until(lambda: all(client.call("GET", "", headers).status_code == status for _ in range(6)))


@pytest.mark.parametrize("proof", ["required", "if_published"])
def test_of_an_editor_that_was_removed_nothing_is_served(
    acme: Tenant, cluster: Cluster, address: SigningEditor, proof: str
) -> None:
    name = configure(cluster, acme, address.url, proof=proof)["name"]
    client = acme.open("a.txt", editor=name, options={"containers": True})
    assert client.call("GET", "", address.signed(client)).status_code == 200
    gone(cluster, acme.tenant_id, name)
    answers(client, 500)
    refused = client.call("GET", "", address.signed(client))
    assert refused.status_code == 500
    assert "not configured any more" in refused.headers["X-WOPI-ServerError"]
    assert client.override("LOCK", "L").status_code == 500
    configure(cluster, acme, address.url, name=name, proof=proof)
    answers(client, 200, address.signed(client))
    assert client.call("GET").status_code == 500


def test_an_editor_whose_proofs_were_off_may_be_removed(
    acme: Tenant, cluster: Cluster, address: SigningEditor
) -> None:
    name = configure(cluster, acme, address.url, proof="off")["name"]
    client = acme.open("a.txt", editor=name)
    gone(cluster, acme.tenant_id, name)
    acme_list = acme.http.get("/api/editors").json()["items"]
    assert name not in {e["name"] for e in acme_list}
    answers(client, 200)


@pytest.mark.parametrize("mode", ["own", "disabled"])
def test_an_editor_of_the_instance_signs_also_where_the_tenant_gets_it_no_more(
    make_tenant: Callable[[str], Tenant], cluster: Cluster, address: SigningEditor, mode: str
) -> None:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"hello")
    name = configure(cluster, None, address.url, proof="required", extensions=["txt"])["name"]
    client = tenant.open("a.txt", editor=name)
    with cluster.admin() as admin:
        url = f"/api/tenants/{tenant.tenant_id}"
        assert admin.patch(url, json={"wopi_mode": mode}).status_code == 200
    answers(client, 500)
    answers(client, 200, address.signed(client))
    gone(cluster, None, name)
    answers(client, 500, address.signed(client))


@pytest.mark.check
@pytest.mark.parametrize("proof", ["required", "if_published"])
def test_where_a_discovery_was_never_read_nothing_is_served_yet(
    acme: Tenant, cluster: Cluster, address: SigningEditor, proof: str
) -> None:
    address.status = 503
    name = configure(cluster, acme, address.url, proof=proof)["name"]
    client = acme.open("a.txt", editor=name)
    signed = client.call("GET", "", address.signed(client))
    assert (signed.status_code, "Retry-After" in signed.headers) == (503, True)
    assert client.call("GET").status_code == (500 if proof == "required" else 503)
    address.status = 200
    refreshed(cluster, acme, name)
    answers(client, 200, address.signed(client))
    assert client.call("GET").status_code == 500


UNUSABLE = {
    "HTML": b"<!doctype html><html><body>Welcome</body></html>",
    "truncated": b'<wopi-discovery><net-zone name="external-http"><app name="text"><act',
    "empty": b"",
    "without actions": b"<wopi-discovery><net-zone/></wopi-discovery>",
    "too large": b"<wopi-discovery>" + b" " * (5 * 2**20) + b"</wopi-discovery>",
    "a bomb": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    b"<wopi-discovery>&b;</wopi-discovery>",
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_discovery_that_cannot_be_used_never_replaces_a_good_one(
    acme: Tenant, cluster: Cluster, address: SigningEditor, kind: str
) -> None:
    name = configure(cluster, acme, address.url)["name"]
    address.document = UNUSABLE[kind]
    shown = refreshed(cluster, acme, name)
    assert shown["last_error"]
    assert shown["file_types"] == ["doc", "md", "txt"]
    assert acme.open("a.txt", editor=name).session["editor_url"]


def test_a_discovery_that_redirects_elsewhere_is_not_followed(
    acme: Tenant, cluster: Cluster, address: SigningEditor, tmp_path: Path
) -> None:
    with signing_editor(tmp_path, "elsewhere") as elsewhere:
        name = configure(cluster, acme, address.url)["name"]
        address.status, address.document = 302, b""
        address.headers["Location"] = f"{elsewhere.url}/hosting/discovery"
        assert "302" in refreshed(cluster, acme, name)["last_error"]
        assert elsewhere.asked == 0


def test_an_editor_that_is_down_is_taken_again_when_it_answers(
    acme: Tenant, cluster: Cluster, address: SigningEditor
) -> None:
    address.status = 503
    name = configure(cluster, acme, address.url)["name"]
    client = acme.open("a.txt", editor=name)
    assert client.session["editor_url"] is None
    browser = acme.http
    assert "does not answer now" in browser.get(client.session["launch_url"]).text
    address.status = 200
    refreshed(cluster, acme, name)
    assert "/edit?" in browser.get(client.session["launch_url"]).text


def refreshed(cluster: Cluster, tenant: Tenant, name: str) -> dict[str, Any]:
    with cluster.admin() as admin:
        query = {"tenant_id": tenant.tenant_id}
        return dict(admin.post(f"/api/editors/{name}/refresh", params=query).json())
