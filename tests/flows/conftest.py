"""One cluster for all flows; each test has a tenant of its own."""

import itertools
import uuid
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from tests.support.cluster import Application, Cluster, running_application, running_cluster
from tests.support.doctor import Doctor
from tests.support.editor import EditorClient

_numbers = itertools.count()


@dataclass
class Tenant:
    """A tenant with a storage on each back end, its key and its application."""

    tenant_id: str
    http: httpx.Client
    storage: str
    application: Application
    folder: str = ""
    """Tests that share a tenant have a folder each."""

    def upload(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        return self.http.put(
            f"/api/storages/{self.storage}/files/content",
            params={"path": self.folder + path},
            content=content,
            headers=headers,
        )

    def download(self, path: str) -> bytes:
        url = f"/api/storages/{self.storage}/files/content"
        return self.http.get(url, params={"path": self.folder + path}).content

    def open(self, path: str = "a.txt", *, edit: bool = True, **more: Any) -> EditorClient:
        request = {
            "storage_name": self.storage,
            "file_path": self.folder + path,
            "permissions": ["view", "edit"] if edit else ["view"],
            "account": "sales",
            "user": "Anna",
            **more,
        }
        answer = self.http.post("/api/sessions/create", json=request)
        assert answer.status_code == 201, answer.text
        return EditorClient(self.http, answer.json())


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    environment = {"WOPI_CALLBACK_RETRY_SECONDS": "1,1,1,1,1"}
    folder = tmp_path_factory.mktemp("cluster")
    with running_cluster(folder, "--no-demo", environment=environment) as running:
        yield running


@pytest.fixture(scope="session")
def application() -> Generator[Application]:
    with running_application() as running:
        yield running


@pytest.fixture(scope="session")
def bucket(s3_url: str) -> str:
    name = f"flows-{uuid.uuid4().hex[:8]}"
    answer = httpx.put(
        f"{s3_url}/{name}",
        headers={"Authorization": "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/s3/x"},
    )
    assert answer.status_code == 200, answer.text
    return name


@pytest.fixture(scope="session")
def make_tenant(
    cluster: Cluster, application: Application, request: pytest.FixtureRequest
) -> Generator[Callable[[str], Tenant]]:
    clients: list[httpx.Client] = []

    def make(protocol: str = "local") -> Tenant:
        tenant_id = f"t{next(_numbers)}"
        with cluster.admin() as admin:
            settings = {"id": tenant_id, "client_base_url": application.url}
            key = admin.post("/api/tenants", json=settings).json()["api_key"]
            config: dict[str, Any] = {"base_path": str(cluster.data_dir / "files" / tenant_id)}
            if protocol == "s3":
                config = {
                    "bucket": request.getfixturevalue("bucket"),
                    "prefix": tenant_id,
                    "endpoint_url": request.getfixturevalue("s3_url"),
                    "access_key_id": "AKIATEST",
                    "secret_access_key": "secretsecret",
                }
            if protocol == "webdav":
                url = f"{request.getfixturevalue('dav_url')}/{tenant_id}"
                httpx.request("MKCOL", url).raise_for_status()
                config = {"url": url}
            storage = {"name": "docs", "protocol": protocol, "config": config}
            answer = admin.post("/api/storages", json={"tenant_id": tenant_id, **storage})
            assert answer.status_code == 201, answer.text
            secret = admin.post(f"/api/tenants/{tenant_id}/webhook-secret").json()
            application.secrets[tenant_id] = secret["webhook_secret"]
        http = cluster.client(key)
        clients.append(http)
        return Tenant(tenant_id, http, "docs", application)

    yield make
    for client in clients:
        client.close()


@pytest.fixture(
    scope="session",
    params=["local", *(pytest.param(p, marks=pytest.mark.check) for p in ("s3", "webdav"))],
)
def shared_tenant(request: pytest.FixtureRequest, make_tenant: Callable[[str], Tenant]) -> Tenant:
    return make_tenant(request.param)


@pytest.fixture
def tenant(shared_tenant: Tenant) -> Tenant:
    return replace(shared_tenant, folder=f"f{next(_numbers)}/")


@pytest.fixture
async def doctor(cluster: Cluster) -> AsyncGenerator[Doctor]:
    async with Doctor(cluster) as one:
        yield one
