"""What the runs stand on: clusters behind nginx, replicas of other kinds beside them, tenants."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.bench.nginx import nginx_binary
from tests.chaos.people import CLIENT_TIMEOUT_S, Habit
from tests.support.cluster import Application, Cluster
from tests.support.servers import free_port, wait_for_port

CLIENTS_MAX = 512
RECOVERY_S = 60.0
STORAGE = "docs"

_CONFIG = """
daemon off;
error_log {folder}/error.log;
pid {folder}/pid;
user root;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream wopi {{ {servers} keepalive 64; keepalive_timeout 25s; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    client_max_body_size 0;
    location /wopi {{
      proxy_pass http://wopi;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_connect_timeout 2s;
      proxy_next_upstream error timeout http_503 non_idempotent;
    }}
  }}
}}
"""


def services(cluster: Cluster, name: str) -> dict[int, int]:
    """Return the processes of a service: port by pid."""
    found: dict[int, int] = {}
    for known, pid in cluster.pids().items():
        if f"genro_wopi.{name}" in known:
            found[pid] = int(environment_of(pid).get("WOPI_PORT", "0"))
    return found


def environment_of(pid: int) -> dict[str, str]:
    """Return the variables that a process was started with; empty where it is gone."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    pairs = (v.decode(errors="replace").partition("=") for v in variables if v)
    return {name: value for name, _, value in pairs}


@dataclass
class Ingress:
    """An nginx before wopi-services; its servers can be changed while it runs."""

    binary: str
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def command(self) -> list[str]:
        return [self.binary, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    def knows(self, ports: Iterable[int]) -> None:
        """Say which servers there are, from the next start or reload on."""
        servers = " ".join(
            f"server 127.0.0.1:{own} max_fails=1 fail_timeout=1s;" for own in sorted(ports)
        )
        text = _CONFIG.format(folder=self.folder, port=self.port, servers=servers)
        (self.folder / "nginx.conf").write_text(text)

    def reload(self, ports: Iterable[int]) -> None:
        """Send new requests to these servers; what is under way goes on where it is."""
        self.knows(ports)
        subprocess.run([*self.command, "-s", "reload"], check=True)


@contextmanager
def ingress_before(ports: Iterable[int], folder: Path) -> Generator[Ingress]:
    """Stand before wopi-services as an ingress does."""
    binary = nginx_binary()
    if binary is None:
        raise RuntimeError("nginx is not installed")
    folder.mkdir(exist_ok=True)
    ingress = Ingress(binary, folder, free_port())
    ingress.knows(ports)
    process = subprocess.Popen(ingress.command)
    try:
        wait_for_port(ingress.port)
        yield ingress
    finally:
        process.terminate()
        process.wait()


@contextmanager
def replica_beside(cluster: Cluster, log: Path, **changes: str) -> Generator[int]:
    """Start one more wopi-service of a cluster with other variables; yields its port."""
    pid = min(services(cluster, "wopi_service"))
    port = free_port()
    own = {"WOPI_PORT": str(port), "WOPI_METRICS_PORT": str(free_port())}
    variables = {**environment_of(pid), **own, **changes}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "genro_wopi.wopi_service"],
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def wopi_client(url: str) -> httpx.AsyncClient:
    """Return a client of many people at once."""
    limits = httpx.Limits(max_connections=CLIENTS_MAX, max_keepalive_connections=CLIENTS_MAX)
    return httpx.AsyncClient(verify=False, base_url=url, timeout=CLIENT_TIMEOUT_S, limits=limits)


def api_client(cluster: Cluster, key: str) -> httpx.AsyncClient:
    """Return a client of the management API with a tenant's key."""
    return httpx.AsyncClient(
        verify=False,
        base_url=cluster.url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=CLIENT_TIMEOUT_S,
        limits=httpx.Limits(max_connections=CLIENTS_MAX),
    )


def put_editors(cluster: Cluster) -> None:
    """Configure the editors that are emulated; nothing listens at their addresses."""
    with cluster.admin() as admin:
        for habit in Habit:
            editor = {
                "name": habit.value,
                "kind": habit.value,
                "url": "http://127.0.0.1:9",
                "proof": "off",
            }
            admin.post("/api/editors", json=editor).raise_for_status()


def put_tenant(
    cluster: Cluster, application: Application, tenant_id: str, protocol: str, config: Any
) -> str:
    """Make a tenant with one storage; returns its key."""
    with cluster.admin() as admin:
        admin.timeout = httpx.Timeout(60)
        tenant = {"id": tenant_id, "client_base_url": application.url}
        key = admin.post("/api/tenants", json=tenant).raise_for_status().json()["api_key"]
        secret = admin.post(f"/api/tenants/{tenant_id}/webhook-secret").json()
        application.secrets[tenant_id] = secret["webhook_secret"]
        storage = {"name": STORAGE, "protocol": protocol, "config": config}
        made = admin.post("/api/storages", json={"tenant_id": tenant_id, **storage})
        made.raise_for_status()
    return str(key)


def open_documents(
    cluster: Cluster, tenant_id: str, count: int, content: Callable[[], bytes]
) -> list[dict[str, Any]]:
    """Store documents in a tenant's storage; return a session on each that may edit."""
    made: list[dict[str, Any]] = []
    with cluster.admin() as admin:
        for number in range(count):
            path = f"{number}.bin"
            where = {"tenant_id": tenant_id, "path": path}
            url = f"/api/storages/{STORAGE}/files/content"
            admin.put(url, params=where, content=content()).raise_for_status()
            session = {
                "tenant_id": tenant_id,
                "storage_name": STORAGE,
                "file_path": path,
                "permissions": ["view", "edit"],
                "account": tenant_id,
            }
            created = admin.post("/api/sessions/create", json=session)
            made.append(created.raise_for_status().json())
    return made


def bucket_config(port: int) -> dict[str, Any]:
    """Describe a bucket that is reached at a port of this machine."""
    return {
        "bucket": "chaos",
        "endpoint_url": f"http://127.0.0.1:{port}",
        "path_style": True,
        "access_key_id": "chaos",
        "secret_access_key": "chaos",
    }


async def put_documents(api: httpx.AsyncClient, paths: Iterable[str]) -> None:
    """Store empty documents."""
    url = f"/api/storages/{STORAGE}/files/content"
    for path in paths:
        content = json.dumps([]).encode()
        (await api.put(url, params={"path": path}, content=content)).raise_for_status()


async def until_ready(api: httpx.AsyncClient) -> None:
    """Wait until the cluster answers again.

    Raises:
        RuntimeError: it does not.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + RECOVERY_S
    while True:
        try:
            if (await api.get("/health/ready")).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        if loop.time() > end:
            raise RuntimeError("the cluster did not recover")
        await asyncio.sleep(0.2)


@contextmanager
def small_disk(folder: Path, size: str = "256m") -> Generator[bool]:
    """Mount a disk that can be filled; yields False where this user may not mount."""
    folder.mkdir(parents=True, exist_ok=True)
    mount, options = shutil.which("mount"), ("-t", "tmpfs", "-o", f"size={size}", "tmpfs")
    mounted = (
        mount is not None
        and os.geteuid() == 0
        and subprocess.run([mount, *options, str(folder)], check=False).returncode == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607 - beside mount
