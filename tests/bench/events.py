"""Events per second of one callback-worker, beside the least that delivers events, in one run."""

import asyncio
import random
import subprocess
import sys
import time
from statistics import median

import msgspec

from genro_wopi.adapters.event_payload import payload
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.event_queue import RedisEventQueue
from tests.bench.driver import cpu_seconds
from tests.bench.event_floor import GROUP
from tests.bench.tables import Table
from tests.chaos import events as scenes
from tests.support.world import partitions

EVENTS, ROUNDS, PLACES = 4_000, 3, 20
"""As many places as ten tenants have in our worker."""

STREAM = "floor"
EMITTING_AT_ONCE = 10


class Rate(msgspec.Struct, frozen=True):
    """What one side did."""

    per_s: float
    cpu_ms: float
    """Per event, of the worker's process."""


async def compare_events() -> Table:
    """Measure both sides in turn; the medians of some rounds."""
    table = Table(
        "Callbacks",
        "One callback-worker beside the least that delivers events (XREADGROUP, one POST, XACK; no"
        f" order, lanes or retries); medians of {ROUNDS} rounds of {EVENTS:,} events.",
        ("deliveries", "events/s", "CPU ms per event"),
    )
    rates: dict[str, list[Rate]] = {"floor": [], "ours": []}
    async with scenes.scene(workers=0) as scene:
        sample = await _sample(scene.redis)
        for _ in range(ROUNDS):
            rates["floor"].append(await _floor(scene, sample))
            rates["ours"].append(await _ours(scene))
    for name, found in rates.items():
        table.add(name, _rate(found), _cpu(found))
    ratio, cpu = _rate(rates["ours"]) / _rate(rates["floor"]), _cpu(rates["ours"])
    table.add("ratio", f"{ratio:.2f}", f"{_cpu(rates['floor']) / cpu:.2f}")
    return table


def _rate(found: list[Rate]) -> float:
    return median(rate.per_s for rate in found)


def _cpu(found: list[Rate]) -> float:
    return median(rate.cpu_ms for rate in found)


async def _sample(redis: RedisClient) -> bytes:
    """Return the body of a real event."""
    queue = RedisEventQueue(redis, redis, partitions(redis), claim_ms=0)
    delivery = (await queue.take(limit=1))[0]
    return msgspec.json.encode(payload(delivery.event))


async def _floor(scene: scenes.Scene, body: bytes) -> Rate:
    redis, receiver = scene.redis, scene.receiver
    await redis.call("DEL", STREAM)
    await redis.call("XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM")
    for _ in range(EVENTS // 100):
        await redis.pipeline([("XADD", STREAM, "*", "body", body)] * 100)
    receiver.secret = "whsec_c2VjcmV0LW9mLXRoZS1mbG9vcg=="
    process = _started(
        "tests.bench.event_floor", scene.server.url, STREAM, receiver.url, str(PLACES)
    )
    return await _measured(scene, process, EVENTS)


def _started(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", *words])


async def _ours(scene: scenes.Scene) -> Rate:
    scene.receiver.secret = scene.secret
    scene.emitted = 0

    async def emit(tenant: int) -> None:
        tenant_id = list(scene.sessions)[tenant]
        while scene.emitted < EVENTS:
            await scene.emit(tenant_id, random.Random(scene.emitted))

    await asyncio.gather(*(emit(tenant) for tenant in range(EMITTING_AT_ONCE)))
    waiting = sum((await scene.expected()).values()) - scene.delivered()
    scene.workers.start()
    return await _measured(scene, scene.workers.running.pop(), waiting)


async def _measured(scene: scenes.Scene, process: subprocess.Popen[bytes], count: int) -> Rate:
    """Measure from the first delivery to the last, so that starting does not count."""
    got = scene.receiver.acknowledged
    before = len(got)
    while len(got) == before:
        await asyncio.sleep(0.01)
    began_s, first, cpu_before = time.monotonic(), len(got), cpu_seconds(process.pid)
    while len(got) < before + count:
        await asyncio.sleep(0.01)
    seconds, done = time.monotonic() - began_s, len(got) - first
    cpu_s = cpu_seconds(process.pid) - cpu_before
    process.terminate()
    await asyncio.to_thread(process.wait)
    return Rate(done / seconds, cpu_s * 1000 / done)
