"""What one request costs Redis: reads from a connection, bytes, processor time."""

import asyncio
import os
import signal
from typing import Any

import httpx
from redis.asyncio import Redis

from tests.bench.tables import Table

REQUESTS = 400
WITH_WORKER = "PutFile 100 KB and its event"
SETTLED_S = 5.0
"""Until the worker has done what waited for it."""

BODY = bytes(100_000)


async def measure_costs(
    redis_url: str, port: int, worker_pid: int, session: dict[str, Any]
) -> Table:
    """Count what Redis was asked while one operation was done again and again.

    Args:
        redis_url: of the cluster.
        port: of its wopi-service.
        worker_pid: of its callback-worker, which is stopped meanwhile.
        session: on a document.
    """
    table = Table(
        "What a request costs Redis",
        f"By Redis' own counters over {REQUESTS} requests, less what it does in the same time"
        " when nobody asks. A read is one piece of a client's pipe: a round trip. The callback-worker"
        " is stopped, but in the last row.",
        ("case", "reads", "bytes to Redis", "bytes from Redis", "CPU µs"),
    )
    url, query = f"/wopi/files/{session['file_id']}", {"access_token": session["access_token"]}
    lock = {"X-WOPI-Lock": "L"}
    untyped: Any = Redis
    redis: Any = untyped.from_url(redis_url)
    cases = {
        "CheckFileInfo": ("GET", "", "", b""),
        "GetFile": ("GET", "/contents", "", b""),
        "LOCK (refresh)": ("POST", "", "LOCK", b""),
        "REFRESH_LOCK": ("POST", "", "REFRESH_LOCK", b""),
        "GET_LOCK": ("POST", "", "GET_LOCK", b""),
        "PutFile 100 KB": ("POST", "/contents", "PUT", BODY),
        WITH_WORKER: ("POST", "/contents", "PUT", BODY),
    }
    os.kill(worker_pid, signal.SIGSTOP)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", params=query) as http:
        locked = await http.post(url, headers={"X-WOPI-Override": "LOCK", **lock})
        locked.raise_for_status()
        for name, (method, suffix, override, body) in cases.items():
            headers = {"X-WOPI-Override": override, **lock} if override else {}
            if name == WITH_WORKER:
                os.kill(worker_pid, signal.SIGCONT)
                await asyncio.sleep(SETTLED_S)

            async def ask(
                method: str = method,
                suffix: str = suffix,
                headers: dict[str, str] = headers,
                body: bytes = body,
            ) -> None:
                answer = await http.request(
                    method, url + suffix, headers=headers, content=body or None
                )
                answer.raise_for_status()

            table.add(name, *await _cost(redis, ask))
    await redis.aclose()
    return table


async def _cost(redis: Any, ask: Any) -> tuple[float, ...]:
    loop = asyncio.get_running_loop()
    await ask()
    before, began_s = await _counters(redis), loop.time()
    for _ in range(REQUESTS):
        await ask()
    after, seconds = await _counters(redis), loop.time() - began_s
    await asyncio.sleep(seconds)
    idle = await _counters(redis)
    return tuple(
        max(0.0, (b - a) - (c - b)) / REQUESTS for a, b, c in zip(before, after, idle, strict=True)
    )


async def _counters(redis: Any) -> tuple[float, ...]:
    found = await redis.info("all")
    cpu_us = (float(found["used_cpu_user"]) + float(found["used_cpu_sys"])) * 1_000_000
    return (
        float(found["total_reads_processed"]),
        float(found["total_net_input_bytes"]),
        float(found["total_net_output_bytes"]),
        cpu_us,
    )
