"""The whole cluster over a Redis Cluster of three primaries: open, save, be told, be audited."""

import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

from tests.support.cluster import Application, Cluster, running_application, running_cluster
from tests.support.editor import EditorClient
from tests.support.servers import cluster_processes, redis_binary

pytestmark = [pytest.mark.flow, pytest.mark.check, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    binary = redis_binary()
    folder = tmp_path_factory.mktemp("spread")
    with (
        cluster_processes(binary, tmp_path_factory.mktemp("nodes")) as url,
        running_cluster(folder, "--no-demo", environment={"WOPI_REDIS_URL": url}) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def application() -> Generator[Application]:
    with running_application() as running:
        yield running


def wait_for(look: Callable[[], list[Any]]) -> list[Any]:
    deadline = time.monotonic() + 20
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_a_document_is_edited_and_everything_is_told(
    spread: Cluster, application: Application
) -> None:
    with spread.admin() as admin:
        tenant = {"id": "acme", "client_base_url": application.url}
        key = admin.post("/api/tenants", json=tenant).json()["api_key"]
        secret = admin.post("/api/tenants/acme/webhook-secret").json()
        application.secrets["acme"] = secret["webhook_secret"]
        config = {"base_path": str(spread.data_dir / "files" / "acme")}
        storage = {"name": "docs", "protocol": "local", "config": config, "tenant_id": "acme"}
        assert admin.post("/api/storages", json=storage).status_code == 201
        with spread.client(key) as http:
            for number in range(12):
                path = f"{number}.txt"
                content = "/api/storages/docs/files/content"
                http.put(content, params={"path": path}, content=b"x").raise_for_status()
                request = {
                    "storage_name": "docs",
                    "file_path": path,
                    "permissions": ["view", "edit"],
                    "account": "sales",
                }
                session = http.post("/api/sessions/create", json=request).json()
                editor = EditorClient(http, session)
                assert editor.get().status_code == 200
                assert editor.override("LOCK", "L").status_code == 200
                assert editor.put(f"typed {number}".encode(), "L").status_code == 200
                assert editor.override("UNLOCK", "L").status_code == 200
                assert (
                    http.get(content, params={"path": path}).content == f"typed {number}".encode()
                )
            saved = [e for e in application.events if e["event"] == "document_saved"]
            deadline = time.monotonic() + 20
            while len(saved) < 12 and time.monotonic() < deadline:
                time.sleep(0.1)
                saved = [e for e in application.events if e["event"] == "document_saved"]
            assert {e["file_path"] for e in saved} == {f"{n}.txt" for n in range(12)}
            audit = {"action": "document_saved", "limit": 100}
            assert len(wait_for(lambda: http.get("/api/audit", params=audit).json()["items"])) >= 1
            assert len(http.get("/api/sessions", params={"limit": 100}).json()["items"]) == 12
            assert http.get("/api/locks").json()["items"] == []
        findings = admin.post("/api/doctor", json={}).json()["items"]
        assert not [
            f
            for f in findings
            if f["check"].startswith(("redis", "host"))
            and f["level"] == "problem"
            and f["check"] != "redis.persistence"
        ]
        gone = admin.delete("/api/tenants/acme", params={"cascade": "true"})
        assert gone.status_code == 204
        assert admin.get("/api/tenants/acme").status_code == 404
