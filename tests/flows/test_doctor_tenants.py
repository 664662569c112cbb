"""The doctor: what is wrong with a tenant is named with its remedy."""

import base64
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from genro_wopi.domain.doctor import Finding
from genro_wopi.domain.identifiers import TenantName
from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster
from tests.support.doctor import NOWHERE, Doctor
from tests.support.raw_http import Asked, Told, answering
from tests.support.waiting import eventually

pytestmark = pytest.mark.flow


async def test_what_is_wrong_with_a_tenant_is_named(
    doctor: Doctor, cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    assert await doctor.tenant(tenant.tenant_id) == {}

    async def after(**change: Any) -> dict[str, Finding]:
        with cluster.admin() as admin:
            admin.patch(f"/api/tenants/{tenant.tenant_id}", json=change).raise_for_status()
        # Nothing leaves this machine.
        return await doctor.tenant(tenant.tenant_id, WOPI_CALLBACK_PROXY=NOWHERE)

    assert "tenant.active" in await after(active=False)
    assert "tenant.mode" in await after(active=True, wopi_mode="own")
    assert "tenant.mode" in await after(wopi_mode="disabled")
    assert "callbacks.reachable" in await after(wopi_mode="pool", client_base_url=NOWHERE)
    public = await after(client_base_url="http://93.184.215.14")
    assert "https://93.184.215.14" in public["callbacks.scheme"].remedy
    keys = "other:" + base64.urlsafe_b64encode(b"o" * 32).decode()
    assert "secrets.readable" in await doctor.tenant(tenant.tenant_id, WOPI_ENCRYPTION_KEYS=keys)


async def test_callbacks_are_tried_as_events_are_sent(
    doctor: Doctor, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    assert await doctor.tenant(tenant.tenant_id) == {}
    (ping,) = (p for p in tenant.application.pings if p["tenant_id"] == tenant.tenant_id)
    assert (ping["event"], ping["session_id"], ping["sequence"]) == ("ping", "", 0)
    tenant.application.answers[tenant.tenant_id] = (401, b"")
    refused = (await doctor.tenant(tenant.tenant_id))["callbacks.signature"]
    assert "answered 401 to a signed ping" in refused.what
    assert f"rotate-webhook-secret {tenant.tenant_id}" in refused.remedy
    tenant.application.answers[tenant.tenant_id] = (404, b"")
    assert set(await doctor.tenant(tenant.tenant_id)) == {"callbacks.reachable"}


async def test_callbacks_are_tried_through_the_operator_s_proxy(
    doctor: Doctor, cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    tenant, asked = make_tenant(), list[str]()

    def refuse(request: Asked) -> Told:
        asked.append(f"{request.method} {request.target}")
        return Told(407)

    with cluster.admin() as admin:
        change = {"client_base_url": "http://93.184.215.14"}
        admin.patch(f"/api/tenants/{tenant.tenant_id}", json=change).raise_for_status()
    async with answering(refuse) as proxy:
        url = f"http://{proxy}"
        findings = await doctor.tenant(tenant.tenant_id, WOPI_CALLBACK_PROXY=url)
    assert asked == ["CONNECT 93.184.215.14:80"]
    assert "407" in findings["callbacks.reachable"].what


async def test_callbacks_without_a_signature_are_named(
    doctor: Doctor, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    store = doctor.office().tenants
    record = await store.get_tenant(TenantName(tenant.tenant_id))
    assert record is not None
    await store.put_tenant(msgspec.structs.replace(record, webhook_secrets=()))
    assert "callbacks.signed" in await doctor.tenant(tenant.tenant_id)


async def test_a_storage_that_is_gone_is_named(
    doctor: Doctor, cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    assert "storage.answers" in await doctor.tenant(tenant.tenant_id, WOPI_LOCAL_ROOTS="/srv")
    with cluster.admin() as admin:
        admin.delete(f"/api/storages/docs?tenant_id={tenant.tenant_id}")
    assert "storages.some" in await doctor.tenant(tenant.tenant_id)


async def test_callbacks_that_came_to_nothing_are_named(
    doctor: Doctor, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    tenant.upload("a.txt", b"x")
    tenant.application.answers[tenant.tenant_id] = (410, b"")
    session = tenant.open()
    both = {"callbacks.disabled", "callbacks.dead-letters"}
    await eventually(lambda: doctor.tenant(tenant.tenant_id), lambda found: both <= set(found))
    assert session.session_id
