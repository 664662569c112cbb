"""`genro-wopi dev`: open when it says so, beside other clusters, and nothing is left behind."""

import signal
import socket
import socketserver
import subprocess
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.dev.starting import COMMAND, environment, refused
from tests.support.cluster import ADMIN_TOKEN, Cluster, running_cluster
from tests.support.servers import free_port
from tests.support.waiting import until

STOP_S = 30
OK = 200
NOT_FOUND = 404


@contextmanager
def redis_that_says(info: bytes) -> Generator[str]:
    """Stand in for a version of Redis that no longer can be installed."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                words = [self._bulk() for _ in range(int(line[1:]))]
                if words[0] == b"INFO":
                    self.wfile.write(b"$%d\r\n%s\r\n" % (len(info), info))
                else:
                    self.wfile.write(b"+OK\r\n")

        def _bulk(self) -> bytes:
            size = int(self.rfile.readline()[1:])
            return self.rfile.read(size + 2)[:-2].upper()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        server.shutdown()


def test_an_old_redis_is_one_clear_line(tmp_path: Path) -> None:
    with redis_that_says(b"redis_version:6.0.16\r\n") as url:
        said = refused(tmp_path, WOPI_REDIS_URL=url).said
    assert "Redis 6.0.16 is too old; use Redis 6.2" in said


def opened(cluster: Cluster) -> httpx.Response:
    """Do what the demo's page does when somebody clicks on a document; return the launch page."""
    form = {"path": "welcome.md", "user": "Anna Bianchi", "may_edit": True}
    session = httpx.post(f"{cluster.url}/demo/open", json=form, timeout=30)
    assert session.status_code == OK, session.text
    return httpx.get(session.json()["launch_url"], timeout=30)


def documents(cluster: Cluster) -> list[str]:
    answer = httpx.get(f"{cluster.url}/demo/documents", timeout=30)
    return [item["name"] for item in answer.json()]


def editors(cluster: Cluster) -> list[str]:
    with cluster.admin() as admin:
        return [editor["name"] for editor in admin.get("/api/editors").json()["items"]]


@pytest.mark.timeout(240)
def test_a_document_opens_as_soon_as_the_cluster_says_open(tmp_path: Path) -> None:
    """Also from a folder in which an earlier start had other ports, and was killed."""
    with running_cluster(tmp_path, "--replicas", "1") as cluster:
        assert opened(cluster).status_code == OK
        assert "welcome.md" in documents(cluster)
        pids = cluster.pids()
        cluster.process.kill()
    assert cluster.process.wait() != 0
    with running_cluster(tmp_path, "--replicas", "1") as cluster:
        launch = opened(cluster)
        assert launch.status_code == OK
        assert f'action="{cluster.url}/editor/edit?' in launch.text
        assert not [p for p in pids.values() if _is_alive(p)]
        with cluster.admin() as admin:
            keys = admin.get("/api/tenants/demo/api-keys").json()["items"]
        assert len([key for key in keys if key["note"] == "demo application"]) == 1
        cluster.process.send_signal(signal.SIGINT)
        assert cluster.process.wait(timeout=STOP_S) == 0
    with running_cluster(tmp_path, "--replicas", "1", "--no-demo") as cluster:
        assert editors(cluster) == []


@pytest.mark.check
@pytest.mark.timeout(240)
def test_two_clusters_do_not_disturb_each_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with (
        running_cluster(tmp_path / "one", "--replicas", "1") as one,
        running_cluster(tmp_path / "two", "--replicas", "1") as two,
    ):
        assert not set(one.metrics_ports()) & set(two.metrics_ports())
        _require_own_redis(one, two)
        with httpx.Client(timeout=30) as browser:  # Its cookies are those of 127.0.0.1.
            for cluster in (one, two):
                form = {"token": ADMIN_TOKEN}
                browser.post(f"{cluster.url}/console/login", data=form, follow_redirects=True)
            pages = [browser.get(f"{cluster.url}/console") for cluster in (one, two)]
        assert [page.status_code for page in pages] == [OK, OK]
        said = refused(one.data_dir).said
        assert f"another cluster uses the data folder {one.data_dir}, at {one.url}" in said
        two.process.kill()
        assert opened(one).status_code == OK


def _require_own_redis(one: Cluster, two: Cluster) -> None:
    tenant = {"id": "of-one", "client_base_url": "http://127.0.0.1:9000"}
    with one.admin() as admin:
        assert admin.post("/api/tenants", json=tenant).is_success
    with two.admin() as admin:
        assert admin.get("/api/tenants/of-one").status_code == NOT_FOUND


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "seen",
    [
        "import",
        "service_ready",
        *(pytest.param(s, marks=pytest.mark.check) for s in ("", "Redis: ")),
    ],
)
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.check)]
)
def test_a_start_that_is_interrupted_leaves_nothing(
    tmp_path: Path, seen: str, number: signal.Signals
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        command = [*COMMAND, "--data-dir", str(tmp_path / "data"), "--port", str(free_port())]
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment()
        )
    if seen == "import":
        until(lambda: _has_loaded(process.pid, "cryptography"), timeout_s=60)
    else:
        until(lambda: seen in log.read_text() and (tmp_path / "data").exists(), timeout_s=60)
    pids = Cluster("", tmp_path, process, log).pids()
    process.send_signal(number)
    code = process.wait(timeout=30)
    assert code in (128 + number, -number)
    assert "Traceback" not in log.read_text()
    assert not [pid for pid in pids.values() if _is_alive(pid)]


@pytest.mark.check
@pytest.mark.timeout(120)
def test_a_service_that_never_starts_ends_the_cluster_with_its_reason(tmp_path: Path) -> None:
    """Its port was taken by a program that asked for just this one."""
    port = free_port()
    options = ("--port", str(port), "--replicas", "1")
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(refused, tmp_path / "data", *options)
        until((tmp_path / "data" / "public-url").exists, timeout_s=60)
        with socket.create_server(("127.0.0.1", port)):
            refusal = starting.result()
    assert "gateway cannot start: " in refusal.said
    assert f"port {port} of 127.0.0.1 cannot be used" in refusal.said
    assert refusal.exit_code == 1


@pytest.mark.check
@pytest.mark.timeout(120)
def test_ctrl_c_ends_every_process_and_leaves_no_orphan(tmp_path: Path) -> None:
    with running_cluster(tmp_path, "--replicas", "1") as cluster:
        pids = cluster.pids()
        assert len(pids) >= 7
        cluster.process.send_signal(signal.SIGINT)
        assert cluster.process.wait(timeout=STOP_S) == 0
        assert not [name for name, pid in pids.items() if Path(f"/proc/{pid}").exists()]


@pytest.mark.check
@pytest.mark.timeout(120)
def test_no_orphan_is_left_when_the_supervisor_itself_is_killed(tmp_path: Path) -> None:
    with running_cluster(tmp_path, "--replicas", "1", "--no-demo") as cluster:
        pids = cluster.pids()
        cluster.process.kill()
        until(lambda: not [p for p in pids.values() if _is_alive(p)])


def _has_loaded(pid: int, module: str) -> bool:
    return module in Path(f"/proc/{pid}/maps").read_text()


def _is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
