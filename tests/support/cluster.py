"""The local cluster as its users start it, and an application with its callbacks."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

from genro_wopi.adapters.webhooks import PING
from tests.support.servers import free_port

ADMIN_TOKEN = "admin-token-of-the-tests"
START_S = 100.0


@dataclass
class Cluster:
    """A running cluster."""

    url: str
    data_dir: Path
    process: subprocess.Popen[bytes]
    log: Path

    def admin(self) -> httpx.Client:
        return self.client(ADMIN_TOKEN, timeout_s=30)

    def client(self, token: str, *, timeout_s: float = 40) -> httpx.Client:
        """Return a client of the management API with a token or key."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(verify=False, base_url=self.url, headers=headers, timeout=timeout_s)

    def pids(self) -> dict[str, int]:
        """Return the services' process ids by name, as they are now."""
        found: dict[str, int] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = [w for w in (entry / "cmdline").read_bytes().split(b"\0") if w]
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if parent == self.process.pid and words:
                name = words[2].decode() if len(words) > 2 else words[0].decode()
                found[f"{name}#{entry.name}"] = int(entry.name)
        return found

    def metrics_ports(self) -> list[int]:
        """Return the ports at which the services show their metrics."""
        found: list[int] = []
        for name, pid in self.pids().items():
            if "genro_wopi." in name:
                variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                port = next(v for v in variables if v.startswith(b"WOPI_METRICS_PORT="))
                found.append(int(port.partition(b"=")[2]))
        return found

    def kill(self, name: str) -> None:
        """End one process as a crash does."""
        pid = next(pid for found, pid in self.pids().items() if name in found)
        os.kill(pid, signal.SIGKILL)


@contextmanager
def running_cluster(
    folder: Path, *options: str, environment: dict[str, str] | None = None
) -> Generator[Cluster]:
    port = free_port()
    log = folder / "cluster.log"
    variables = {**os.environ, "WOPI_ADMIN_TOKEN": ADMIN_TOKEN, **(environment or {})}
    command = [sys.executable, "-m", "genro_wopi.cli.main", "dev", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--data-dir", str(folder / "data"), *options],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=variables,
        )
    cluster = Cluster(f"http://127.0.0.1:{port}", folder / "data", process, log)
    try:
        _wait_until_open(cluster)
        yield cluster
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _wait_until_open(cluster: Cluster) -> None:
    deadline = time.monotonic() + START_S
    while "  Open http" not in cluster.log.read_text():
        assert cluster.process.poll() is None, cluster.log.read_text()
        assert time.monotonic() < deadline, cluster.log.read_text()
        time.sleep(0.1)


@dataclass
class Application:
    """A tenant's application: receives callbacks and checks their signature."""

    url: str
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pings: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """What a doctor sent."""
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    """Webhook secret by tenant."""
    refuse_next: int = 0
    """How many deliveries are answered with 500 first."""
    fails_until_s: float = 0.0
    """Until this monotonic time every delivery is answered with 500."""
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, tuple[int, bytes]])
    """What a tenant's deliveries are answered, where it is not a plain 200."""

    def names(self, session_id: str) -> list[str]:
        return [e["event"] for e in self.events if e["session_id"] == session_id]

    def wait_for(self, session_id: str, event: str, timeout_s: float = 60.0) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        while True:
            for found in list(self.events):
                if found["session_id"] == session_id and found["event"] == event:
                    return found
            assert time.monotonic() < deadline, f"no {event}; got {self.names(session_id)}"
            time.sleep(0.05)


@contextmanager
def running_application() -> Generator[Application]:
    application = Application(url="")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = 200, b""
            if application.refuse_next > 0 or time.monotonic() < application.fails_until_s:
                application.refuse_next -= application.refuse_next > 0
                status = 500
            else:
                event = json.loads(body)
                secret = application.secrets[event["tenant_id"]]
                Webhook(secret).verify(body, dict(self.headers.items()))
                status, answer = application.answers.get(event["tenant_id"], (status, answer))
                is_ping = event["event"] == PING
                (application.pings if is_ping else application.events).append(event)
            with suppress(OSError):  # The worker was killed meanwhile.
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    application.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield application
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
