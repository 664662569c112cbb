"""The Redis client over one real server that stalls, is killed and comes back."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from genro_wopi.adapters.redis.client import RedisClient, connect
from genro_wopi.adapters.redis.connections import CONNECTIONS_MAX
from genro_wopi.domain.errors import UnavailableError
from tests.support.servers import free_port, redis_binary, wait_for_port
from tests.support.waiting import eventually


@dataclass
class Server:
    """A Redis that can be stopped and started again at the same port."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @staticmethod
    def start(folder: Path, port: int) -> subprocess.Popen[bytes]:
        binary = redis_binary()
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        process = subprocess.Popen([*command, "--loglevel", "warning"], stdout=subprocess.DEVNULL)
        wait_for_port(port)
        return process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.process = self.start(self.folder, self.port)


@pytest.fixture
def server(tmp_path: Path) -> Generator[Server]:
    port = free_port()
    running = Server(tmp_path, port, Server.start(tmp_path, port))
    yield running
    if running.process.poll() is None:
        os.kill(running.process.pid, signal.SIGCONT)
    running.kill()


async def test_more_callers_than_connections_are_all_answered(server: Server) -> None:
    async with connect(server.url) as redis:
        names = [f"k{n}" for n in range(3 * CONNECTIONS_MAX)]
        assert await asyncio.gather(*(redis.call("ECHO", name) for name in names)) == [
            name.encode() for name in names
        ]
        clients = await redis.call("CLIENT", "LIST")
        assert len(clients.splitlines()) <= CONNECTIONS_MAX


async def test_a_refused_command_leaves_the_answers_of_others_alone(server: Server) -> None:
    async with connect(server.url) as redis:
        await redis.call("SET", "text", "x")
        with pytest.raises(ResponseError):
            await redis.pipeline((("ECHO", "1"), ("LPUSH", "text", "1"), ("ECHO", "2")))
        assert await redis.call("ECHO", "3") == b"3"


async def test_a_call_that_was_cancelled_does_not_leave_its_answer_to_the_next(
    server: Server,
) -> None:
    async with connect(server.url, socket_timeout_s=5) as redis:
        waiting = asyncio.ensure_future(redis.call("BLPOP", "nothing", 2))

        await eventually(lambda: redis.call("CLIENT", "LIST"), lambda seen: b"cmd=blpop" in seen)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await redis.call("ECHO", "mine") == b"mine"


async def test_a_restart_is_waited_for(server: Server) -> None:
    async with connect(server.url) as redis:
        await asyncio.gather(*(redis.call("PING") for _ in range(8)))
        server.kill()
        waiting = asyncio.ensure_future(redis.call("ECHO", "back"))
        await asyncio.to_thread(server.restart)
        assert await waiting == b"back"


async def test_a_hanging_server_is_unavailable_in_time(server: Server) -> None:
    async with connect(server.url) as redis:
        await redis.call("PING")
        os.kill(server.process.pid, signal.SIGSTOP)
        start_s = time.monotonic()
        with pytest.raises(UnavailableError):
            await redis.call("PING", deadline_s=time.monotonic() + 1.5)
        assert time.monotonic() - start_s < 4
        os.kill(server.process.pid, signal.SIGCONT)
        assert await redis.call("ECHO", "well") == b"well"


@pytest.mark.parametrize("steps", range(12))
async def test_a_cancellation_counts_whenever_it_comes(redis: RedisClient, steps: int) -> None:
    await redis.call("PING")  # The connection is open: the steps are those of a command.
    waiting = asyncio.create_task(redis.call("BLPOP", "nothing", 1))
    for _ in range(steps):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait((waiting,))
    assert waiting.cancelled()


async def test_a_cancellation_counts_while_connecting_too(redis_url: str) -> None:
    for steps in range(200):
        async with connect(redis_url) as fresh:
            waiting = asyncio.create_task(fresh.call("BLPOP", "nothing", 1))
            for _ in range(steps):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait((waiting,))
        assert waiting.cancelled(), steps
