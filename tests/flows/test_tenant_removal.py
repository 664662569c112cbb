"""A deleted tenant is gone: whoever gets its id later sees nothing of it."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from genro_wopi.callback_worker.operations.upkeep import ROUND_S
from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster
from tests.support.waiting import until

pytestmark = pytest.mark.flow


def test_the_next_tenant_of_an_id_sees_nothing_of_the_one_before(
    make_tenant: Callable[[str], Tenant], cluster: Cluster
) -> None:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"of the first")
    tenant.upload("b.txt", b"of the first")
    editor = tenant.open()
    editor.call("POST", "", {"X-WOPI-Override": "PUT_USER_INFO"}, b"settings")
    info = editor.info()
    assert info["UserInfo"] == "settings"
    editor.override("LOCK", "L")
    assert editor.get().content == b"of the first"
    folder = cluster.data_dir / "files" / tenant.tenant_id
    (folder / "a.txt").write_bytes(b"from elsewhere")
    assert editor.put(b"refused", "L", info["LastModifiedTime"]).status_code == 409
    until(lambda: len(items(tenant.http, "/api/recovery")) == 1)
    url = f"/api/tenants/{tenant.tenant_id}"
    with cluster.admin() as admin:
        assert admin.delete(url).status_code == 409
        assert admin.delete(url, params={"cascade": "true"}).status_code == 204
        assert admin.delete(url, params={"cascade": "true"}).status_code == 404
        assert editor.call("GET", "").status_code == 401
        key = admin.post("/api/tenants", json={"id": tenant.tenant_id}).json()["api_key"]
        storage = {"name": "docs", "protocol": "local", "config": {"base_path": str(folder)}}
        added = admin.post("/api/storages", json={"tenant_id": tenant.tenant_id, **storage})
        assert added.status_code == 201, added.text
    assert tenant.http.get("/api/storages").status_code == 401
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=cluster.url, headers=headers, timeout=40) as http:
        assert editor.call("GET", "").status_code == 401
        assert editor.put(b"late", "L").status_code == 401
        assert http.get(f"/api/sessions/{editor.session_id}").status_code == 404
        for path in ("/api/sessions", "/api/recovery", "/api/registry", "/api/locks"):
            assert items(http, path) == [], path
        time.sleep(ROUND_S + 1)  # Events become audit records in the background.
        assert {record["actor"] for record in items(http, "/api/audit")} <= {"operator"}
        renewed = Tenant(tenant.tenant_id, http, "docs", tenant.application)
        assert renewed.download("a.txt") == b"from elsewhere"  # The files stayed.
        assert "UserInfo" not in renewed.open().info()


def items(http: httpx.Client, path: str) -> list[dict[str, Any]]:
    answer = http.get(path)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])
