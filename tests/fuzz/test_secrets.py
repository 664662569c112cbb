"""No secret in a log, metric, event, audit record, answer or in Redis, whatever fails."""

from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.support.cluster import (
    ADMIN_TOKEN,
    Application,
    Cluster,
    running_application,
    running_cluster,
)
from tests.support.editor import EditorClient

pytestmark = pytest.mark.flow

SECRET_KEY = "s3-secret-key-5c1f0a"
URL_PASSWORD = "url-password-77d2"
CLIENT_PASSWORD = "client-password-0b3e"
PRIVATE = "private-info-91ac"


class Bystander:
    """Someone who reads everything that is written down or answered."""

    def __init__(self, cluster: Cluster, application: Application) -> None:
        self.cluster, self.application = cluster, application
        self.answers: list[str] = []
        self.open = ExitStack()
        self.secrets = {SECRET_KEY, URL_PASSWORD, CLIENT_PASSWORD, PRIVATE, ADMIN_TOKEN}

    def client(self, **more: Any) -> httpx.Client:
        return self.open.enter_context(httpx.Client(verify=False, **more))

    def admin(self) -> httpx.Client:
        return self.open.enter_context(self.cluster.admin())

    def ask(self, http: httpx.Client, method: str, url: str, **more: Any) -> httpx.Response:
        answer = http.request(method, url, **more)
        self.answers.append(f"{method} {url} {answer.headers} {answer.text}")
        return answer

    def read(self) -> dict[str, str]:
        """Return all that can be read, by where it lies."""
        metrics = "".join(
            httpx.get(f"http://127.0.0.1:{port}/metrics").text
            for port in self.cluster.metrics_ports()
        )
        redis = b"".join(p.read_bytes() for p in (self.cluster.data_dir / "redis").rglob("*.aof"))
        return {
            "answers": "\n".join(self.answers),
            "events": str(self.application.events),
            "log": self.cluster.log.read_text(),
            "metrics": metrics,
            "redis": redis.decode("latin-1"),
        }


@pytest.fixture(scope="module")
def bystander(tmp_path_factory: pytest.TempPathFactory) -> Generator[Bystander]:
    environment = {"WOPI_LOG_LEVEL": "debug", "WOPI_LOG_SAMPLE": "1"}
    folder = tmp_path_factory.mktemp("secrets")
    with (
        running_application() as application,
        running_cluster(folder, "--no-demo", environment=environment) as cluster,
    ):
        found = Bystander(cluster, application)
        with found.open:
            yield found


def prepared(bystander: Bystander) -> tuple[httpx.Client, EditorClient]:
    """Do what gives the host secrets, and what fails while it has them."""
    cluster, application = bystander.cluster, bystander.application
    admin = bystander.admin()
    auth = {"method": "basic", "user": "app", "password": CLIENT_PASSWORD}
    tenant = {"id": "acme", "client_base_url": application.url, "client_auth": auth}
    made = admin.post("/api/tenants", json=tenant).raise_for_status().json()
    signing = admin.post("/api/tenants/acme/webhook-secret").json()["webhook_secret"]
    application.secrets["acme"] = signing
    bystander.secrets |= {made["api_key"], signing}
    headers = {"Authorization": f"Bearer {made['api_key']}"}
    http = bystander.client(base_url=cluster.url, headers=headers, timeout=60)
    folder = {"base_path": str(cluster.data_dir / "files" / "acme")}
    storage = {"name": "docs", "protocol": "local", "config": folder}
    bystander.ask(admin, "POST", "/api/storages", json={"tenant_id": "acme", **storage})
    away = {
        "bucket": "b",
        "endpoint_url": "http://127.0.0.1:9",
        "access_key_id": "AKIA",
        "secret_access_key": SECRET_KEY,
    }
    dav = {"url": f"http://me:{URL_PASSWORD}@127.0.0.1:9/dav"}
    for name, protocol, config in (("away", "s3", away), ("dav", "webdav", dav)):
        body = {"name": name, "protocol": protocol, "config": config}
        bystander.ask(http, "POST", "/api/storages", json=body)
        bystander.ask(http, "POST", "/api/storages", json={**body, "name": "?", "protocol": "x"})
        bystander.ask(http, "GET", f"/api/storages/{name}/files", params={"path": ""})
    http.put("/api/storages/docs/files/content", params={"path": "a.txt"}, content=b"hello")
    session = {
        "storage_name": "docs",
        "file_path": "a.txt",
        "permissions": ["view", "edit"],
        "account": "sales",
        "options": {"user_private_info": {"token": PRIVATE}},
    }
    opened = http.post("/api/sessions/create", json=session).raise_for_status().json()
    bystander.secrets.add(opened["access_token"])
    return http, EditorClient(http, opened)


def test_nobody_but_its_owner_reads_a_secret(bystander: Bystander) -> None:
    http, editor = prepared(bystander)
    admin = bystander.admin()
    editor.override("LOCK", "L")
    editor.put(b"text", "L")
    editor.put(b"text", "another lock")
    editor.call("POST", "/contents", {"X-WOPI-Override": "PUT", "X-WOPI-Lock": "é"}, b"x")
    editor.call("POST", "", {"X-WOPI-Override": editor.token})
    bystander.application.wait_for(editor.session_id, "document_saved")
    for url in (
        *("/api/tenants/acme", "/api/storages", "/api/storages/docs", "/api/editors"),
        *("/api/audit", "/api/recovery", "/api/events", "/api/keys", "/api/doctor"),
        *(f"/api/sessions/{editor.session_id}", f"/api/sessions/{editor.session_id}/timeline"),
        *("/metrics", "/docs", "/openapi.json", "/console"),
    ):
        for client in (http, admin):
            bystander.ask(client, "GET", url, params={"tenant_id": "acme"})
    for wrong in (f"Bearer {editor.token}", f"Basic {URL_PASSWORD}", "Bearer wrong"):
        bystander.ask(
            bystander.client(),
            "GET",
            f"{bystander.cluster.url}/api/tenants/acme",
            headers={"Authorization": wrong},
        )
    read = bystander.read()
    shown = [(where, s) for where, text in read.items() for s in bystander.secrets if s in text]
    assert not shown
    assert "wopi_answered" in read["log"]
    assert "document_saved" in read["redis"]
    assert "wopi_requests_total" in read["metrics"]
