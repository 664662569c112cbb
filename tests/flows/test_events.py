"""Events through the management API: what was given up is seen and sent again."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from genro_wopi.adapters.directory import FRESH_S
from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster
from tests.support.waiting import until

pytestmark = pytest.mark.flow


def listed(tenant: Tenant, status: str, session_id: str) -> list[dict[str, Any]]:
    answer = tenant.http.get("/api/events", params={"status": status, "limit": 1000})
    assert answer.status_code == 200, answer.text
    return [e for e in answer.json()["items"] if e["session_id"] == session_id]


@pytest.mark.check
def test_a_dead_letter_is_replayed_and_other_tenants_see_nothing(
    make_tenant: Callable[[str], Tenant],
) -> None:
    tenant, other = make_tenant("local"), make_tenant("local")
    tenant.upload("a.txt", b"hello")
    tenant.application.answers[tenant.tenant_id] = (500, b"")
    session = tenant.open()
    assert listed(tenant, "pending", session.session_id)
    until(lambda: bool(listed(tenant, "dead", session.session_id)), timeout_s=40)
    (dead,) = listed(tenant, "dead", session.session_id)
    assert dead["event"] == "session_created"
    assert "500" in dead["reason"]
    del tenant.application.answers[tenant.tenant_id]
    url = f"/api/events/{dead['event_id']}/replay"
    assert other.http.post(url).status_code == 404
    assert other.http.get("/api/events", params={"status": "dead"}).json()["items"] == []
    assert tenant.http.post(url).json() == {"replayed": 1}
    event = tenant.application.wait_for(session.session_id, "session_created")
    assert event["event_id"] == dead["event_id"]
    until(lambda: bool(listed(tenant, "delivered", session.session_id)))
    assert tenant.http.post("/api/events/replay").json() == {"replayed": 0}
    assert tenant.http.post(url).json() == {"replayed": 1}
    assert tenant.http.post("/api/events/replay", json={"since": "x"}).status_code == 422


def test_only_the_events_that_were_asked_for_are_sent(
    make_tenant: Callable[[str], Tenant], cluster: Cluster
) -> None:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"hello")
    change(cluster, tenant, callback_events=["document_saved"])
    editor = tenant.open()
    editor.override("LOCK", "L")
    editor.get()
    editor.put(b"more", "L")
    editor.override("UNLOCK", "L")
    tenant.application.wait_for(editor.session_id, "document_saved")
    until(lambda: not listed(tenant, "pending", editor.session_id))
    assert tenant.application.names(editor.session_id) == ["document_saved"]


def test_a_strict_application_must_say_that_it_took_an_event(
    make_tenant: Callable[[str], Tenant], cluster: Cluster
) -> None:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"hello")
    change(cluster, tenant, callback_strict=True)
    session = tenant.open()
    tenant.application.wait_for(session.session_id, "session_created")
    assert listed(tenant, "delivered", session.session_id) == []
    tenant.application.answers[tenant.tenant_id] = (200, b'{"ok": true}')
    until(lambda: bool(listed(tenant, "delivered", session.session_id)))
    got = [e for e in tenant.application.events if e["session_id"] == session.session_id]
    assert len({e["event_id"] for e in got}) == 1
    assert got[-1]["attempt"] > 1


def test_an_application_that_is_gone_gets_nothing_until_it_is_configured_anew(
    make_tenant: Callable[[str], Tenant], cluster: Cluster
) -> None:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"hello")
    tenant.application.answers[tenant.tenant_id] = (410, b"")
    first = tenant.open()
    until(lambda: bool(listed(tenant, "dead", first.session_id)))
    time.sleep(FRESH_S + 0.1)
    second = tenant.open()
    until(lambda: bool(listed(tenant, "dead", second.session_id)))
    assert tenant.application.names(second.session_id) == []
    with cluster.admin() as admin:
        url = f"/api/tenants/{tenant.tenant_id}"
        assert admin.get(url).json()["callbacks_disabled"] is True
        del tenant.application.answers[tenant.tenant_id]
        again = admin.patch(url, json={"client_base_url": tenant.application.url}).json()
        assert again["callbacks_disabled"] is False
    time.sleep(FRESH_S + 0.1)
    assert tenant.http.post("/api/events/replay").json() == {"replayed": 2}
    tenant.application.wait_for(second.session_id, "session_created")


@pytest.mark.check
def test_events_of_a_suspended_tenant_are_kept(
    make_tenant: Callable[[str], Tenant], cluster: Cluster
) -> None:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"hello")
    tenant.application.answers[tenant.tenant_id] = (500, b"")
    session = tenant.open()
    change(cluster, tenant, active=False)
    del tenant.application.answers[tenant.tenant_id]
    query = {"tenant_id": tenant.tenant_id, "status": "dead"}
    with cluster.admin() as admin:
        until(lambda: bool(admin.get("/api/events", params=query).json()["items"]), timeout_s=40)
        (dead,) = admin.get("/api/events", params=query).json()["items"]
    assert "not active" in dead["reason"]
    change(cluster, tenant, active=True)
    assert tenant.http.post("/api/events/replay").json() == {"replayed": 1}
    tenant.application.wait_for(session.session_id, "session_created")


def change(cluster: Cluster, tenant: Tenant, **settings: Any) -> None:
    with cluster.admin() as admin:
        answer = admin.patch(f"/api/tenants/{tenant.tenant_id}", json=settings)
        assert answer.status_code == 200, answer.text
    time.sleep(FRESH_S + 0.1)  # What a worker knows of a tenant is that old at most.
