"""Which Redis the local cluster takes, and what it says of those that it leaves out."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from genro_wopi.dev.errors import DevError
from genro_wopi.dev.ports import Ports
from genro_wopi.dev.redis_server import UsedRedis, start_redis
from genro_wopi.dev.supervisor import Supervisor
from tests.dev.starting import refused
from tests.support.servers import redis_binary

OLD = 'echo "Redis server v=5.0.7 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64"'
NEW = 'echo "Redis server v=7.2.4 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64"'
BROKEN_AOF = b"*3\r\n$3\r\nSET\r\nnonsense, and no command at all\r\n"


def program(folder: Path, name: str, *lines: str) -> str:
    """Put a program on a PATH of its own; return the PATH."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    file.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


@asynccontextmanager
async def chosen(folder: Path, path: str) -> AsyncGenerator[UsedRedis]:
    (folder / "redis").mkdir(exist_ok=True)
    supervisor = Supervisor(colours=False)
    with Ports("127.0.0.1") as ports:
        url = f"redis://127.0.0.1:{ports.any_of_loopback()}/0"
        try:
            async with asyncio.timeout(60):
                yield await start_redis(supervisor, folder / "redis", url, {"PATH": path})
        finally:
            await supervisor.stop()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([OLD], "is 5.0, and 6.2 is the oldest that will do"),
        (["echo nothing of use"], "does not say its version"),
        (["exit 3"], "does not say its version"),
        ([f'[ "$1" = --version ] && {NEW} && exit', "exit 1"], "does not start"),
        ([f'[ "$1" = --version ] && {NEW} && exit', "echo 'no memory'; exit 2"], "no memory"),
    ],
)
async def test_a_server_on_path_that_does_not_work_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: list[str], why: str
) -> None:
    path = program(tmp_path / "bin", "redis-server", *lines)
    async with chosen(tmp_path, path) as redis:
        assert str(tmp_path / "bin") not in redis.where
    said = capsys.readouterr().out
    assert f"Redis: {tmp_path / 'bin' / 'redis-server'} " in said
    assert why in said


@pytest.mark.anyio
async def test_the_other_name_on_path_is_tried_too(tmp_path: Path) -> None:
    real = redis_binary()
    program(tmp_path / "bin", "redis-server", OLD)
    path = program(tmp_path / "bin", "valkey-server", f'exec {real} "$@"')
    async with chosen(tmp_path, path) as redis:
        assert redis.where.startswith(str(tmp_path / "bin" / "valkey-server"))


@pytest.mark.anyio
async def test_a_file_that_no_server_reads_is_told_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "redis" / "appendonly.aof"
    file.parent.mkdir()
    file.write_bytes(BROKEN_AOF)
    with pytest.raises(DevError, match=r"Bad file format.*--data-dir"):
        async with chosen(tmp_path, "/nowhere"):
            pass
    kept = [f for f in file.parent.rglob("*") if f.is_file() and f.read_bytes() == BROKEN_AOF]
    assert kept


def test_a_stale_file_of_redis_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "redis" / "appendonly.aof"
    file.parent.mkdir()
    file.write_bytes(BROKEN_AOF)
    refusal = refused(tmp_path)
    assert "no Redis can be used" in refusal.said
    assert "Bad file format" in refusal.said


def test_a_redis_on_path_that_is_too_old_is_said_first(tmp_path: Path) -> None:
    """The start goes on with the wheel's, here up to what stands in the folder."""
    path = program(tmp_path / "bin", "redis-server", OLD)
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "appendonly.aof").write_bytes(BROKEN_AOF)
    refusal = refused(tmp_path, PATH=f"{path}:{Path(sys.executable).parent}:{os.defpath}")
    assert "is 5.0, and 6.2 is the oldest that will do: left out" in refusal.output
