"""How much memory a wopi-service needs for documents of 2 GiB, and for a thousand slow uploads."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Any, Self

import httpx

from tests.bench.driver import request, rss_bytes
from tests.bench.tables import Table

Row = tuple[str, float, float, str]

SIZE = 2**31
CHUNK = os.urandom(2**20)
SLOW = 1000
SLOW_BYTES = 2**20
SAMPLE_S = 0.05


class Peak:
    """The largest resident memory of a process while something happens."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = self._most = rss_bytes(pid)

    async def __aenter__(self) -> Self:
        self._sampling = asyncio.create_task(self._sample())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sampling.cancel()

    @property
    def growth_mib(self) -> float:
        return (self._most - self._before) / 2**20

    async def _sample(self) -> None:
        while True:
            self._most = max(self._most, rss_bytes(self._pid))
            await asyncio.sleep(SAMPLE_S)


def measure_memory(pid: int, port: int, session: dict[str, Any]) -> Table:
    """Measure the memory of what is large, and of what is slow."""
    table = Table(
        "Memory of what is in flight",
        "How much the resident memory of a wopi-service grows meanwhile.",
        ("what", "memory MiB", "KiB for each", "meanwhile"),
    )
    table.add(*asyncio.run(_large(pid, port, session)))
    table.add(*asyncio.run(_slow(pid, port, session)))
    return table


async def _large(pid: int, port: int, session: dict[str, Any]) -> Row:
    path = f"/wopi/files/{session['file_id']}"
    query = {"access_token": session["access_token"]}
    base = f"http://127.0.0.1:{port}"
    lock = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "L"}

    async def body() -> AsyncIterator[bytes]:
        for _ in range(SIZE // len(CHUNK)):
            yield CHUNK

    async with httpx.AsyncClient(base_url=base, timeout=300) as http, Peak(pid) as peak:
        (await http.post(path, params=query, headers=lock)).raise_for_status()
        headers = {"X-WOPI-Override": "PUT", "X-WOPI-Lock": "L", "Content-Length": str(SIZE)}
        start = time.perf_counter()
        url = f"{path}/contents"
        answer = await http.post(url, params=query, headers=headers, content=body())
        answer.raise_for_status()
        up_s = time.perf_counter() - start
        start, received = time.perf_counter(), 0
        async with http.stream("GET", url, params=query) as content:
            async for chunk in content.aiter_raw():
                received += len(chunk)
        down_s = time.perf_counter() - start
    assert received == SIZE
    rates = f"up {SIZE / up_s / 2**20:.0f} MiB/s, down {SIZE / down_s / 2**20:.0f} MiB/s"
    return "one document of 2 GiB, up and down", peak.growth_mib, peak.growth_mib * 1024, rates


async def _slow(pid: int, port: int, session: dict[str, Any]) -> Row:
    """Measure many uploads that trickle in, and what others feel of them."""
    target = f"/wopi/files/{session['file_id']}"
    query = f"?access_token={session['access_token']}"
    headers = {"X-WOPI-Override": "PUT", "X-WOPI-Lock": "L"}
    whole = request("POST", f"{target}/contents{query}", headers, bytes(SLOW_BYTES))
    began = asyncio.Event()

    async def trickle() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(whole[: SLOW_BYTES // 2])
        await writer.drain()
        await began.wait()
        writer.close()

    async with Peak(pid) as peak:
        uploads = [asyncio.create_task(trickle()) for _ in range(SLOW)]
        await asyncio.sleep(5)
        seconds: list[float] = []
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            for _ in range(200):
                start = time.perf_counter()
                (await http.get(target + query)).raise_for_status()
                seconds.append(time.perf_counter() - start)
        began.set()
        await asyncio.gather(*uploads)
    p99_ms = sorted(seconds)[-2] * 1000
    meanwhile = f"CheckFileInfo p99 {p99_ms:.0f} ms"
    each_kib = peak.growth_mib * 1024 / SLOW
    return f"{SLOW:,} slow uploads of 1 MiB", peak.growth_mib, each_kib, meanwhile
