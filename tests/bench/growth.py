"""What a session and a file need of Redis, and what an operation costs as there are more of them."""

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from genro_wopi.adapters.redis.client import connect
from genro_wopi.domain.sessions import Purpose, Session
from genro_wopi.gateway.operations.doctor.redis_checks import HASH_VALUE_BYTES
from tests.bench.tables import Table
from tests.support.servers import redis_binary, redis_process
from tests.support.world import World

SIZES = (1_000, 10_000, 100_000, 1_000_000)
TABLE_SIZES = (100_000,)
SESSIONS_PER_FILE = 10
AT_ONCE = 64
SAMPLE = 2_000

_HEAD = ("sessions", "bytes per session", "bytes per file", "admit µs", "LOCK + UNLOCK µs")


async def measure_growth(sizes: tuple[int, ...] = SIZES) -> Table:
    """Make ever more sessions in a Redis of its own, set up as the documentation says."""
    table = Table(
        "As sessions grow",
        f"Sessions in one Redis, {SESSIONS_PER_FILE} on each file; memory as Redis says it,"
        " without the events, which a worker takes away; the"
        f" times are medians of {SAMPLE:,} calls one after the other, on sessions at random."
        " `hash-max-listpack-value` is as [installing](install.md) says.",
        _HEAD,
    )
    options = ("--hash-max-ziplist-value", str(HASH_VALUE_BYTES))
    return await _filled(table, sizes, options)


async def measure_tables(sizes: tuple[int, ...] = TABLE_SIZES) -> Table:
    """Do the same in a Redis whose hashes are as they are without a word."""
    table = Table(
        "Sessions without that setting",
        "The same where `hash-max-listpack-value` is what Redis begins with, 64.",
        _HEAD,
    )
    return await _filled(table, sizes, ())


async def _filled(table: Table, sizes: tuple[int, ...], options: tuple[str, ...]) -> Table:
    binary = redis_binary()
    with tempfile.TemporaryDirectory() as name, redis_process(binary, Path(name), *options) as url:
        async with connect(url) as redis:
            world = World(redis)
            await world.tenant()
            file_bytes = await _bytes_per_file(redis, world)
            sessions: list[Session] = []
            empty = await _used(redis)
            for size in sizes:
                await _grow(world, sessions, size)
                used = await _used(redis) - empty
                files = len(sessions) / SESSIONS_PER_FILE
                each = (used - files * file_bytes) / len(sessions)
                admit_s, lock_s = await _times(world, sessions)
                table.add(f"{size:,}", each, file_bytes, admit_s * 1e6, lock_s * 1e6)
    return table


async def _bytes_per_file(redis: Any, world: World) -> float:
    count = 5_000
    before = await _used(redis)
    await _all(count, lambda n: world.file(f"folder/of-files/document-{n}.odt"))
    return (await _used(redis) - before) / count


async def _grow(world: World, sessions: list[Session], size: int) -> None:
    first = len(sessions)

    async def make(number: int) -> None:
        file = await world.file(f"folder/sessions/document-{first // 10 + number}.odt")
        sessions.extend([await world.session(file) for _ in range(SESSIONS_PER_FILE)])

    await _all((size - first) // SESSIONS_PER_FILE, make)


async def _all(count: int, make: Callable[[int], Awaitable[object]]) -> None:
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            await make(number)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def _times(world: World, sessions: list[Session]) -> tuple[float, float]:
    chance = random.Random(1)
    admit: list[float] = []
    lock: list[float] = []
    for _ in range(SAMPLE):
        session = chance.choice(sessions)
        began = time.perf_counter()
        await world.sessions.admit(
            session.session_id, session.file_id, Purpose.CHECK, deadline_s=0.0
        )
        middle = time.perf_counter()
        request = world.lock(session, "L", request_id=str(chance.random()))
        await world.locks.lock(request, deadline_s=0.0)
        await world.locks.unlock(request, deadline_s=0.0)
        admit.append(middle - began)
        lock.append(time.perf_counter() - middle)
    return sorted(admit)[SAMPLE // 2], sorted(lock)[SAMPLE // 2]


async def _used(redis: Any) -> int:
    """Return what Redis holds, without the events that no worker takes here."""
    streams = await redis.call("KEYS", "wopi:*:events")
    if streams:
        await redis.call("DEL", *streams)
    found = (await redis.call("INFO", "memory")).decode()
    return int(found.partition("used_memory:")[2].split()[0])
