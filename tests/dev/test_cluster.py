"""`genro-wopi dev`: what it refuses in one line, and that it leaves nothing behind."""

import fcntl
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cluster import running_cluster
from tests.support.servers import free_port
from tests.support.waiting import until

STOP_S = 5


def refused(folder: Path, *options: str, **environment: str) -> str:
    command = [sys.executable, "-m", "genro_wopi.cli.main", "dev", "--data-dir", str(folder)]
    ended = subprocess.run(
        [*command, "--port", str(free_port()), *options],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **environment},
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} is in use" in refused(tmp_path, "--port", str(port))


def test_a_data_folder_that_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    assert f"the data folder {file} cannot be used" in refused(file)


def test_two_clusters_never_share_a_data_folder(tmp_path: Path) -> None:
    with (tmp_path / "in-use").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another cluster uses the data folder" in refused(tmp_path)


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
        said = refused(tmp_path, WOPI_REDIS_URL=url)
    assert "Redis 6.0.16 is too old; use Redis 6.2" in said


def test_a_redis_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    assert "check WOPI_REDIS_URL" in refused(tmp_path, WOPI_REDIS_URL=url)


@pytest.mark.timeout(120)
def test_ctrl_c_ends_every_process_and_leaves_no_orphan(tmp_path: Path) -> None:
    with running_cluster(tmp_path, "--replicas", "1") as cluster:
        pids = cluster.pids()
        assert len(pids) >= 7
        cluster.process.send_signal(signal.SIGINT)
        assert cluster.process.wait(timeout=STOP_S) == 0
        assert not [name for name, pid in pids.items() if Path(f"/proc/{pid}").exists()]


@pytest.mark.timeout(120)
def test_no_orphan_is_left_when_the_supervisor_itself_is_killed(tmp_path: Path) -> None:
    with running_cluster(tmp_path, "--replicas", "1", "--no-demo") as cluster:
        pids = cluster.pids()
        cluster.process.kill()
        until(lambda: not [p for p in pids.values() if _is_alive(p)])


def _is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
