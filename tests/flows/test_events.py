"""Events through the management API: what was given up is seen and sent again."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.flows.conftest import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.flow


def listed(tenant: Tenant, status: str, session_id: str) -> list[dict[str, Any]]:
    answer = tenant.http.get("/api/events", params={"status": status, "limit": 1000})
    assert answer.status_code == 200, answer.text
    return [e for e in answer.json()["items"] if e["session_id"] == session_id]


def test_a_dead_letter_is_replayed_and_other_tenants_see_nothing(
    make_tenant: Callable[[str], Tenant],
) -> None:
    tenant, other = make_tenant("local"), make_tenant("local")
    tenant.upload("a.txt", b"hello")
    tenant.application.refuse_next = 6  # Once more than the cluster of the tests tries.
    session = tenant.open()
    assert listed(tenant, "pending", session.session_id)
    until(lambda: bool(listed(tenant, "dead", session.session_id)), timeout_s=40)
    (dead,) = listed(tenant, "dead", session.session_id)
    assert dead["event"] == "session_created"
    assert "500" in dead["reason"]
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
