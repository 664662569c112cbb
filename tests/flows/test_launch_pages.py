"""The launch page is its first browser's, for as long as the session lives."""

import itertools
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from genro_wopi.gateway.routes.launch_cookie import PAGES_MAX, PREFIX, LaunchCookie
from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster
from tests.support.signing_editor import SigningEditor, signing_editor

pytestmark = pytest.mark.flow

_numbers = itertools.count()


@pytest.fixture(scope="module")
def acme(make_tenant: Callable[[str], Tenant]) -> Tenant:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"hello")
    return tenant


@pytest.fixture
def address(tmp_path: Path) -> Generator[SigningEditor]:
    with signing_editor(tmp_path) as editor:
        yield editor


@pytest.fixture
def session(acme: Tenant, cluster: Cluster, address: SigningEditor) -> dict[str, Any]:
    """Return a session with an editor that answers."""
    name = f"l{next(_numbers)}"
    editor = {"name": name, "kind": "collabora", "url": address.url, "proof": "off"}
    with cluster.admin() as admin:
        made = admin.post("/api/editors", json={**editor, "tenant_id": acme.tenant_id})
    assert made.status_code == 201, made.text
    return acme.open(editor=name).session


def test_its_browser_loads_it_again_and_nobody_else(session: dict[str, Any]) -> None:
    with httpx.Client(verify=False) as browser, httpx.Client(verify=False) as other:
        assert browser.get(session["launch_url"]).status_code == 200
        for _ in range(2):
            assert browser.get(session["launch_url"]).status_code == 200
            refused = other.get(session["launch_url"])
            assert refused.status_code == 403
            assert session["access_token"] not in refused.text
            assert "set-cookie" not in refused.headers
            assert "open the document again" in refused.text


def test_a_browser_without_cookies_opens_it_once(session: dict[str, Any]) -> None:
    assert httpx.get(session["launch_url"]).status_code == 200
    again = httpx.get(session["launch_url"])
    assert again.status_code == 403
    assert "must keep cookies" in again.text


def test_pages_do_not_get_into_each_other_s_way(acme: Tenant, session: dict[str, Any]) -> None:
    other = acme.open(
        editor=acme.http.get(f"/api/sessions/{session['session_id']}").json()["editor"]
    )
    with httpx.Client(verify=False) as browser:
        urls = [session["launch_url"], other.session["launch_url"]]
        for url in (*urls, *urls):
            assert browser.get(url).status_code == 200


@pytest.mark.parametrize("end", ["close", "revoke"])
def test_it_is_gone_with_the_session(acme: Tenant, session: dict[str, Any], end: str) -> None:
    with httpx.Client(verify=False) as browser:
        assert browser.get(session["launch_url"]).status_code == 200
        acme.http.post(f"/api/sessions/{session['session_id']}/{end}")
        assert browser.get(session["launch_url"]).status_code == 404
    assert httpx.get(session["launch_url"]).status_code == 404


def test_over_http_the_cookie_is_of_the_page_alone(session: dict[str, Any]) -> None:
    cookie = httpx.get(session["launch_url"]).headers["set-cookie"]
    path = session["launch_url"].partition("/open/")[2]
    assert f"Path=/open/{path}" in cookie
    assert "HttpOnly" in cookie
    assert "Secure" not in cookie


def test_over_https_the_cookie_is_of_this_host_and_of_the_frame() -> None:
    (own,) = LaunchCookie("https://host", "code", {}).changes()
    written = own.to_encoded_header()[1].decode()
    assert written.startswith(PREFIX)
    for word in ("Path=/;", "Secure", "HttpOnly", "SameSite=none", "; Partitioned"):
        assert word in written
    shown = LaunchCookie("https://host", "code", {own.key: own.value or ""})
    assert (shown.shown, shown.given) == (own.value, own.value)
    assert LaunchCookie("https://host", "other", {own.key: own.value or ""}).shown == ""


def test_over_https_a_browser_keeps_no_more_than_some_pages() -> None:
    kept = {f"{PREFIX}{number:012x}": "x" for number in range(PAGES_MAX + 2)}
    own, *ended = LaunchCookie("https://host", "code", {**kept, "else": "y"}).changes()
    assert own.max_age
    assert [c.key for c in ended] == [f"{PREFIX}{0:012x}", f"{PREFIX}{1:012x}"]
    assert all(c.max_age == 0 for c in ended)
