"""How many sessions an application may create, and have: a cluster with small shares."""

from collections.abc import Callable, Generator
from typing import Any

import httpx
import pytest

from tests.support.cluster import Cluster, running_cluster

pytestmark = pytest.mark.flow

PER_MINUTE, MAX = 25, 10


@pytest.fixture(scope="module")
def small_cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    environment = {"WOPI_SESSIONS_PER_MINUTE": str(PER_MINUTE), "WOPI_SESSIONS_MAX": str(MAX)}
    folder = tmp_path_factory.mktemp("small")
    with running_cluster(folder, "--no-demo", environment=environment) as running:
        yield running


class Application:
    """A tenant with a file, and what it does."""

    def __init__(self, cluster: Cluster, tenant_id: str) -> None:
        with cluster.admin() as admin:
            made = admin.post("/api/tenants", json={"id": tenant_id}).json()
            config = {"base_path": str(cluster.data_dir / "files" / tenant_id)}
            storage = {"tenant_id": tenant_id, "name": "docs", "protocol": "local"}
            admin.post("/api/storages", json={**storage, "config": config}).raise_for_status()
        self.http = cluster.client(made["api_key"])
        content = "/api/storages/docs/files/content"
        self.http.put(content, params={"path": "a.txt"}, content=b"one").raise_for_status()

    def open(self) -> httpx.Response:
        session: dict[str, Any] = {
            "storage_name": "docs",
            "file_path": "a.txt",
            "permissions": ["view"],
            "account": "sales",
        }
        return self.http.post("/api/sessions/create", json=session)


@pytest.fixture
def tenant(small_cluster: Cluster) -> Generator[Callable[[str], Application]]:
    made: list[Application] = []

    def make(tenant_id: str) -> Application:
        made.append(Application(small_cluster, tenant_id))
        return made[-1]

    yield make
    for application in made:
        application.http.close()


def test_a_tenant_has_so_many_sessions_and_cleaning_up_makes_room(
    tenant: Callable[[str], Application],
) -> None:
    application = tenant("many")
    opened = [application.open() for _ in range(MAX)]
    assert {answer.status_code for answer in opened} == {201}
    refused = application.open()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert "WOPI_SESSIONS_MAX" in refused.json()["detail"]
    first = opened[0].json()["session_id"]
    assert application.http.post(f"/api/sessions/{first}/revoke").status_code == 200
    assert application.open().status_code == 429, "it is kept for an hour"
    assert application.http.post("/api/sessions/cleanup", json={}).json()["removed"] == 1
    assert application.open().status_code == 201
    assert tenant("few").open().status_code == 201


def test_a_tenant_creates_so_many_in_a_minute_however_soon_they_end(
    tenant: Callable[[str], Application],
) -> None:
    application = tenant("fast")
    statuses: list[int] = []
    for _ in range(PER_MINUTE + 5):
        answer = application.open()
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert "sessions" in answer.json()["detail"]
            continue
        session = answer.json()["session_id"]
        application.http.post(f"/api/sessions/{session}/revoke").raise_for_status()
        application.http.post("/api/sessions/cleanup", json={}).raise_for_status()
    assert statuses == [201] * PER_MINUTE + [429] * 5
    assert tenant("slow").open().status_code == 201
