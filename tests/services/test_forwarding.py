"""The gateway over real sockets: who waits for a replica, what is repeated, who is cut off."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from litestar import Litestar

from genro_wopi.adapters.new_keys import new_encryption_key
from genro_wopi.adapters.spool import Spool
from genro_wopi.gateway.routes.forward import Forwarder, forward_route
from genro_wopi.runtime.setting_loading import load_settings
from genro_wopi.runtime.settings import Service
from genro_wopi.web.server import Readiness, serve
from tests.support.raw_http import Asked, Told, read_request, serving
from tests.support.servers import free_port
from tests.support.waiting import eventually

SAVE = {"X-WOPI-Override": "PUT", "X-WOPI-TimeStamp": "638995104000000001"}


@dataclass
class Replica:
    """A server at a fixed port that can come and go."""

    port: int
    answer: Callable[[Asked], Told] = field(default=lambda _: Told(200, {}, b"stored"))
    asked: list[Asked] = field(default_factory=list[Asked])
    breaks: int = 0
    """So many requests are read and not answered."""

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                while True:
                    request = await read_request(reader)
                    self.asked.append(request)
                    if self.breaks:
                        self.breaks -= 1
                        return
                    told = self.answer(request)
                    head = (
                        f"HTTP/1.1 {told.status} Told\r\nContent-Length: {len(told.body)}\r\n\r\n"
                    )
                    writer.write(head.encode() + told.body)
                    await writer.drain()

        async with serving(serve_one, port=self.port):
            yield


@dataclass
class Edge:
    """A gateway that only forwards."""

    url: str
    spool: Path
    readiness: Readiness

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@asynccontextmanager
async def edge(
    folder: Path,
    upstreams: list[str],
    *,
    patience_s: float = 10.0,
    changes: Mapping[str, str] = MappingProxyType({}),
) -> AsyncGenerator[Edge]:
    port = free_port()
    settings = load_settings(
        {
            "WOPI_REDIS_URL": "redis://127.0.0.1:1",
            "WOPI_PUBLIC_URL": "http://wopi",
            "WOPI_ENCRYPTION_KEYS": new_encryption_key(),
            "WOPI_INTERNAL_TOKEN": "x" * 32,
            "WOPI_ADMIN_TOKEN": "x" * 32,
            "WOPI_SESSION_SERVICE_URL": "http://127.0.0.1:1",
            "WOPI_PORT": str(port),
            "WOPI_DRAIN_SECONDS": "0",
            **changes,
        },
        Service.GATEWAY,
    )
    readiness, stopping = Readiness(), asyncio.Event()
    spool = Spool(folder, disk_bytes_max=2**30)
    forwarder = Forwarder(upstreams, readiness, spool, patience_s=patience_s)
    app = Litestar([forward_route("/wopi", forwarder)], openapi_config=None, logging_config=None)
    server = asyncio.create_task(serve(app, settings, readiness, stopping))

    async def is_open() -> bool:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return True
        return False

    try:
        await eventually(is_open, bool)
        yield Edge(f"http://127.0.0.1:{port}", folder, readiness)
    finally:
        stopping.set()
        await server
        await forwarder.aclose()


async def put(url: str, body: bytes, timeout_s: float = 30.0, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=timeout_s) as http:
        return await http.post(
            f"{url}/wopi/files/x/contents", content=body, headers={**SAVE, **headers}
        )


@pytest.mark.parametrize("size", [0, 5, 300_000, 3_000_000])
async def test_what_comes_while_no_replica_is_there_waits_for_one(
    tmp_path: Path, size: int
) -> None:
    replica = Replica(free_port())
    async with edge(tmp_path, [f"http://127.0.0.1:{replica.port}"]) as gateway:
        saving = asyncio.create_task(put(gateway.url, b"x" * size))
        await asyncio.sleep(0.5)
        assert not saving.done()
        async with replica.running():
            answer = await saving
    assert (answer.status_code, answer.content) == (200, b"stored")
    assert [len(asked.body) for asked in replica.asked] == [size]
    assert not list(tmp_path.iterdir()), "nothing is left in the spool"


async def test_saves_and_locks_come_before_the_rest(tmp_path: Path) -> None:
    replica = Replica(free_port())
    async with (
        edge(tmp_path, [f"http://127.0.0.1:{replica.port}"]) as gateway,
        httpx.AsyncClient(base_url=gateway.url, timeout=30) as http,
    ):
        waiting = [asyncio.create_task(http.get("/wopi/files/x")) for _ in range(20)]
        await eventually(in_flight(gateway), lambda n: n == 20)
        waiting += [
            asyncio.create_task(http.post("/wopi/files/x", headers={"X-WOPI-Override": "LOCK"})),
            asyncio.create_task(http.post("/wopi/files/x/contents", headers=SAVE, content=b"x")),
        ]
        await eventually(in_flight(gateway), lambda n: n == 22)
        async with replica.running():
            answers = await asyncio.gather(*waiting)
    assert {answer.status_code for answer in answers} == {200}
    assert sum(asked.method == "POST" for asked in replica.asked[:8]) == 2, "came last, went first"


def in_flight(gateway: Edge) -> Any:
    async def look() -> int:
        return gateway.readiness.in_flight

    return look


async def test_after_its_patience_it_says_503(tmp_path: Path) -> None:
    async with edge(tmp_path, [f"http://127.0.0.1:{free_port()}"], patience_s=0.5) as gateway:
        began_s = time.monotonic()
        answer = await put(gateway.url, b"text")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "2"
        assert 0.4 < time.monotonic() - began_s < 5


async def test_a_client_that_goes_is_forgotten_at_once(tmp_path: Path) -> None:
    async with edge(tmp_path, [f"http://127.0.0.1:{free_port()}"], patience_s=60) as gateway:
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(
            b"POST /wopi/files/x/contents HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
        )
        await eventually(in_flight(gateway), lambda n: n == 1)
        writer.close()
        await eventually(in_flight(gateway), lambda n: n == 0, timeout_s=5)


@pytest.mark.parametrize("size", [5, 3_000_000])
async def test_a_dated_save_that_a_replica_took_to_its_grave_goes_to_another(
    tmp_path: Path, size: int
) -> None:
    dying, other = Replica(free_port(), breaks=9), Replica(free_port())
    urls = [f"http://127.0.0.1:{one.port}" for one in (dying, other)]
    async with dying.running(), other.running(), edge(tmp_path, urls) as gateway:
        for _ in range(3):
            answer = await put(gateway.url, b"x" * size)
            assert answer.status_code == 200
    assert dying.asked
    assert {len(asked.body) for asked in other.asked} == {size}
    assert len({asked.headers["x-request-id"] for asked in other.asked}) == 3


async def test_what_must_not_run_twice_is_not_repeated(tmp_path: Path) -> None:
    dying, other = Replica(free_port(), breaks=1), Replica(free_port())
    urls = [f"http://127.0.0.1:{one.port}" for one in (dying, other)]
    headers = {"X-WOPI-Override": "PUT_RELATIVE"}
    async with (
        dying.running(),
        other.running(),
        edge(tmp_path, urls) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as http,
    ):
        answers = [
            (await http.post("/wopi/files/x", headers=headers, content=b"copy")).status_code
            for _ in range(2)
        ]
    assert sorted(answers) == [200, 503]
    assert len(dying.asked) + len(other.asked) == 2


@pytest.mark.parametrize("status", [401, 413])
@pytest.mark.parametrize("reads_late", [False, True], ids=["reads meanwhile", "sends all first"])
async def test_an_early_answer_comes_through(tmp_path: Path, status: int, reads_late: bool) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\nno" % status)
        await writer.drain()
        await asyncio.sleep(30)

    async with serving(refuse) as port, edge(tmp_path, [f"http://127.0.0.1:{port}"]) as gateway:
        if reads_late:
            answer = await put(gateway.url, b"x" * 8 * 2**20)
            assert (answer.status_code, answer.content) == (status, b"no")
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        head = (
            b"POST /wopi/files/x/contents HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
        )
        writer.write(head + b"x" * 70_000)
        line = await asyncio.wait_for(reader.readline(), 5)
        assert line.startswith(b"HTTP/1.1 %d" % status)
        writer.close()


async def slow_post(port: int, path: bytes, stopping: asyncio.Event) -> bytes:
    """Send a byte now and then; return the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.ensure_future(reader.readline())
    try:
        writer.write(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        while not answer.done() and not stopping.is_set():
            writer.write(b"x")
            await asyncio.wait((answer,), timeout=1.0)
        return answer.result() if answer.done() else b""
    except OSError:
        return b"closed"
    finally:
        answer.cancel()
        writer.close()


@pytest.mark.check
async def test_many_slow_bodies_hold_up_nobody_and_are_cut_off(tmp_path: Path) -> None:
    replica, stopping = Replica(free_port()), asyncio.Event()
    urls = [f"http://127.0.0.1:{replica.port}"]
    async with replica.running(), edge(tmp_path, urls) as gateway:
        slow = [
            asyncio.create_task(slow_post(gateway.port, b"/wopi/files/x/contents", stopping))
            for _ in range(520)
        ]
        await eventually(in_flight(gateway), lambda n: n == 520)
        times: list[float] = []
        async with httpx.AsyncClient(base_url=gateway.url, timeout=10) as http:
            for _ in range(100):
                began_s = time.monotonic()
                assert (await http.get("/wopi/files/y")).status_code == 200
                times.append(time.monotonic() - began_s)
        assert sorted(times)[98] < 1.0, "the 99th of 100"
        lines = await asyncio.gather(*slow)
    assert {line.split()[1] for line in lines} == {b"503"}
    assert not any(asked.method == "POST" for asked in replica.asked)


async def test_a_pause_in_a_body_has_an_end(tmp_path: Path) -> None:
    replica = Replica(free_port())
    changes = {"WOPI_BODY_PAUSE_SECONDS": "1", "WOPI_BODY_BYTES_PER_SECOND_MIN": "0"}
    urls = [f"http://127.0.0.1:{replica.port}"]
    async with replica.running(), edge(tmp_path, urls, changes=changes) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"POST /wopi/files/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")
        line = await asyncio.wait_for(reader.readline(), 10)
        assert line.startswith(b"HTTP/1.1 503")
        writer.close()


async def test_idle_connections_hold_up_nobody(tmp_path: Path) -> None:
    replica = Replica(free_port())
    urls = [f"http://127.0.0.1:{replica.port}"]
    async with replica.running(), edge(tmp_path, urls) as gateway:
        idle = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(1100)]
        assert (await put(gateway.url, b"text", 5.0)).status_code == 200
        for _, writer in idle:
            writer.close()
