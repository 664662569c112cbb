"""API keys with scopes: each does what it is for, at every operation, and nothing else."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from genro_wopi.client.calls import prepare
from genro_wopi.domain.callers import Scope
from genro_wopi.management.catalog import ALIASES, OPERATIONS
from genro_wopi.management.decode import convert_request
from genro_wopi.management.examples import example_of
from genro_wopi.management.operation import Access, Content, Operation
from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster

pytestmark = pytest.mark.flow


@pytest.fixture(scope="module")
def acme(make_tenant: Callable[[str], Tenant]) -> Tenant:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"hello")
    return tenant


@pytest.fixture(scope="module")
def keys(acme: Tenant, cluster: Cluster) -> dict[Scope, str]:
    """Return one key for each scope."""
    url, found = f"/api/tenants/{acme.tenant_id}/api-keys", dict[Scope, str]()
    with cluster.admin() as admin:
        for scope in Scope:
            made = admin.post(url, json={"scopes": [scope.value]})
            assert (made.status_code, made.json()["scopes"]) == (201, [scope.value])
            found[scope] = made.json()["api_key"]
    return found


def client(cluster: Cluster, key: str) -> httpx.Client:
    return httpx.Client(
        verify=False, base_url=cluster.url, headers={"X-API-Token": key}, timeout=30
    )


def asked(http: httpx.Client, operation: Operation[Any, Any], tenant: Tenant) -> httpx.Response:
    example = example_of(operation)
    if "tenant_id" in operation.request.__struct_fields__:
        example["tenant_id"] = tenant.tenant_id
    if "{name}" in operation.path:
        example["name"] = "not-there"
    call = prepare(operation, convert_request(example, operation.request, from_text=False))
    body = b"x" if operation.content is Content.UPLOAD else None
    return http.request(call.method, call.path, params=call.query, json=call.json, content=body)


@pytest.mark.parametrize("scope", [s for s in Scope if s is not Scope.ALL])
def test_a_key_does_what_it_is_for_and_nothing_else(
    acme: Tenant, cluster: Cluster, keys: dict[Scope, str], scope: Scope
) -> None:
    wrong: list[str] = []
    with client(cluster, keys[scope]) as http:
        for operation in OPERATIONS:
            answer = asked(http, operation, acme)
            is_for_it = operation.scope in {scope, "any"}
            allowed = operation.access is Access.TENANT and is_for_it
            if (answer.status_code != 403) is not allowed:
                wrong.append(f"{operation.name}: {answer.status_code}")
            elif operation.access is Access.TENANT and not allowed:
                assert f"'{operation.scope}'" in answer.json()["detail"]
    assert not wrong


def test_an_application_s_key_opens_documents_and_touches_no_storage(
    acme: Tenant, cluster: Cluster, keys: dict[Scope, str]
) -> None:
    session = {"storage_name": "docs", "file_path": "a.txt", "permissions": ["view"]}
    with client(cluster, keys[Scope.SESSIONS]) as http:
        session["account"] = "sales"
        assert http.post("/api/sessions/create", json=session).status_code == 201
        for path in (p for p in ALIASES if not p.endswith(("create", "get", "close"))):
            assert http.post(path, json={}).status_code == 200
        assert http.delete("/api/storages/docs").status_code == 403
        assert http.get("/api/storages").status_code == 403
        content = "/api/storages/docs/files/content"
        assert http.get(content, params={"path": "a.txt"}).status_code == 403
        assert http.get("/api/caller").json()["scopes"] == ["sessions"]
    with client(cluster, keys[Scope.STORAGES]) as http:
        assert http.post("/sessions/create", json=session).status_code == 403
        assert http.post("/sessions/list", json={}).status_code == 403
    assert acme.http.get("/api/storages/docs").status_code == 200


@pytest.mark.parametrize("scopes", [["fly"], ["sessions", "files"], [], "sessions"])
def test_a_scope_that_is_none_is_refused(acme: Tenant, cluster: Cluster, scopes: object) -> None:
    with cluster.admin() as admin:
        url = f"/api/tenants/{acme.tenant_id}/api-keys"
        refused = admin.post(url, json={"scopes": scopes})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "scopes"


def test_a_key_without_scopes_said_may_do_all(acme: Tenant, cluster: Cluster) -> None:
    with cluster.admin() as admin:
        url = f"/api/tenants/{acme.tenant_id}/api-keys"
        assert admin.post(url, json={"scopes": None}).json()["scopes"] == ["all"]
        assert admin.post(url, json={}).json()["scopes"] == ["all"]
        listed = admin.get(url).json()["items"]
    assert listed[0]["scopes"] == ["all"]


def test_no_key_makes_keys(acme: Tenant, cluster: Cluster, keys: dict[Scope, str]) -> None:
    for key in keys.values():
        with client(cluster, key) as http:
            url = f"/api/tenants/{acme.tenant_id}/api-keys"
            assert http.post(url, json={"scopes": ["sessions"]}).status_code == 403
