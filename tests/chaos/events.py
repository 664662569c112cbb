"""Events while applications fail and processes die: none lost, none out of order, few sent twice.

    python -m tests.chaos callbacks [seconds] [seed]
    python -m tests.chaos events [count] [seed]

Real workers deliver what the real scripts emit over a real Redis to a real server. In the first run
one application hangs, then answers 500 (an hour, compressed with the delays), then answers, beside
others that are well. In the second one workers and Redis are killed at random.
"""

import asyncio
import base64
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from genro_wopi.adapters.new_keys import new_encryption_key
from genro_wopi.adapters.redis.audit_store import RedisAuditStore
from genro_wopi.adapters.redis.client import RedisClient, connect
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.adapters.secrets import AesGcmRing
from genro_wopi.domain.audit import AuditFilter
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.secrets import Secret
from genro_wopi.domain.sessions import Session
from genro_wopi.domain.tenants import AuthMethod, Tenant, WopiMode
from genro_wopi.runtime.setting_values import read_keys
from tests.chaos.receiver import Mood, Receiver, receiving
from tests.support.servers import free_port, redis_binary, wait_for_port
from tests.support.world import World, partitions

TENANTS, FILES = 10, 8
WORKERS = 2
SICK = TenantId("tenant-0")
RETRY_SECONDS = "1,1,2,2,4,4,4,8,8,8,8,8,8,8,8,8"
DRAINED_S = 240.0
DUPLICATES_MAX = 0.01
AUDITED_AT_ONCE = 1000


@dataclass
class Redis:
    """A server that can be killed and comes back with what it wrote."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        binary = redis_binary()
        options = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")
        place = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder))
        self.process = subprocess.Popen(
            [binary, *place, *options, "--loglevel", "warning"], stdout=subprocess.DEVNULL
        )
        wait_for_port(self.port)

    def end(self, number: int = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()


@dataclass
class Workers:
    """Callback-workers as the cluster starts them."""

    environment: dict[str, str]
    log: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "genro_wopi.callback_worker"],
                    env={**os.environ, **self.environment},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )

    def replace(self, chance: random.Random) -> None:
        """Kill one as a crash does, and start another."""
        victim = self.running.pop(chance.randrange(len(self.running)))
        victim.kill()
        victim.wait()
        self.start()

    def end(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(timeout=30)


@dataclass
class Scene:
    """What is under way."""

    redis: RedisClient
    server: Redis
    workers: Workers
    receiver: Receiver
    world: World
    sessions: dict[TenantId, list[Session]]
    secret: str
    emitted: int = 0

    async def emit(self, tenant_id: TenantId, chance: random.Random) -> None:
        """Lock and unlock one file: two events, which the scripts append with the change."""
        session = chance.choice(self.sessions[tenant_id])
        lock = self.world.lock(session, "L", request_id=str(chance.random()))
        deadline_s = time.monotonic() + 20
        for change in (self.world.locks.lock, self.world.locks.unlock):
            while True:
                try:
                    await change(lock, deadline_s=deadline_s)
                except UnavailableError:
                    await asyncio.sleep(0.05)
                else:
                    self.emitted += 1
                    break

    async def expected(self) -> dict[str, int]:
        """Return how many events each file has, as the scripts counted them."""
        counts: dict[str, int] = {}
        for session in (s for sessions in self.sessions.values() for s in sessions):
            key = FileKeys(session.file_id).file
            counts[session.file_id] = int(await self.redis.call("HGET", key, "event_seq"))
        return counts

    def delivered(self) -> int:
        """Return how many events were acknowledged."""
        return len({e["event_id"] for _, e in self.receiver.acknowledged})

    async def audited(self) -> Counter[str]:
        """Return how often each event stands in the audit trail."""
        trail, found = RedisAuditStore(self.redis, partitions(self.redis)), Counter[str]()
        for tenant_id in self.sessions:
            before, is_more = "", True
            while is_more:
                records, before = await trail.find(
                    tenant_id, AuditFilter(), before=before, limit=AUDITED_AT_ONCE
                )
                found.update(record.details["event_id"] for record in records)
                is_more = bool(before)
        return found

    async def drained(self) -> None:
        """Wait until all events were acknowledged and audited, or must be lost."""
        end = time.monotonic() + DRAINED_S
        total = sum((await self.expected()).values())
        while time.monotonic() < end:
            if self.delivered() >= total and len(await self.audited()) >= total:
                return
            await asyncio.sleep(0.5)

    async def verdict(self) -> "Verdict":
        """Compare what came, and what was audited, with what the scripts counted."""
        verdict, audited = judge(self.receiver, await self.expected()), await self.audited()
        return replace(
            verdict,
            unaudited=verdict.events - len(audited),
            audited_twice=sum(audited.values()) - len(audited),
        )


@dataclass
class Verdict:
    """What a run showed."""

    events: int
    lost: int
    disordered: int
    duplicates: int
    other_ids: int
    """Two events of a file with one sequence and different ids."""
    unaudited: int = 0
    audited_twice: int = 0
    notes: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])

    def rows(self) -> list[tuple[float, str]]:
        """Return counts with what they count."""
        return [
            *self.notes,
            (self.events, "events"),
            (self.lost, "of them lost"),
            (self.disordered, "out of order"),
            (self.duplicates, "delivered twice"),
            (self.other_ids, "given a second id"),
            (self.unaudited, "missing in the audit trail"),
            (self.audited_twice, "twice in the audit trail"),
        ]

    @property
    def is_good(self) -> bool:
        few = self.duplicates <= max(1, self.events * DUPLICATES_MAX)
        is_told_once = not (self.lost or self.disordered or self.other_ids)
        return few and is_told_once and not (self.unaudited or self.audited_twice)


def judge(receiver: Receiver, expected: dict[str, int]) -> Verdict:
    """Compare what came with what the scripts counted."""
    came: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for _, event in receiver.acknowledged:
        came[event["file_id"]].append((event["sequence"], event["event_id"]))
    lost = disordered = other_ids = duplicates = 0
    for file_id, count in expected.items():
        ids = dict[int, set[str]]()
        first: list[int] = []
        for sequence, event_id in came[file_id]:
            if sequence not in ids:
                first.append(sequence)
            ids.setdefault(sequence, set()).add(event_id)
        lost += len(set(range(1, count + 1)) - ids.keys())
        disordered += sum(1 for a, b in pairwise(first) if b < a)
        other_ids += sum(1 for found in ids.values() if len(found) > 1)
        duplicates += len(came[file_id]) - len(ids)
    return Verdict(sum(expected.values()), lost, disordered, duplicates, other_ids)


@asynccontextmanager
async def scene(*, workers: int = WORKERS) -> AsyncGenerator[Scene]:
    """Start Redis, workers and a receiver, with tenants and a session on each of their files."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = Redis(folder)
        server.start()
        stack.callback(server.end)
        secret = "whsec_" + base64.b64encode(os.urandom(32)).decode()
        receiver = await stack.enter_async_context(receiving(secret))
        redis = await stack.enter_async_context(connect(server.url))
        key = new_encryption_key()
        running = Workers(
            {
                "WOPI_REDIS_URL": server.url,
                "WOPI_ENCRYPTION_KEYS": key,
                "WOPI_CALLBACK_ALLOW": "loopback",
                "WOPI_CALLBACK_RETRY_SECONDS": RETRY_SECONDS,
                "WOPI_METRICS_PORT": "0",
                "WOPI_DRAIN_SECONDS": "2",
            },
            folder / "workers.log",
        )
        world = World(redis)
        sessions: dict[TenantId, list[Session]] = {}
        for number in range(TENANTS):
            tenant_id = TenantId(f"tenant-{number}")
            await _put_tenant(redis, tenant_id, receiver, AesGcmRing(read_keys(key)))
            files = [await world.file(f"{n}.txt", tenant_id=tenant_id) for n in range(FILES)]
            sessions[tenant_id] = [await world.session(f, ttl_ms=3_600_000) for f in files]
        for _ in range(workers):
            running.start()
        stack.callback(running.end)
        yield Scene(redis, server, running, receiver, world, sessions, secret)


async def _put_tenant(
    redis: RedisClient, tenant_id: TenantId, receiver: Receiver, ring: AesGcmRing
) -> None:
    sealed = ring.seal(Secret(receiver.secret), context=f"{tenant_id}/tenant/webhook_secret")
    await RedisTenantStore(redis).put_tenant(
        Tenant(
            tenant_id=tenant_id,
            name=tenant_id,
            active=True,
            wopi_mode=WopiMode.POOL,
            client_base_url=receiver.url,
            client_callback_path="/",
            auth_method=AuthMethod.NONE,
            auth_user=None,
            auth_secret=None,
            webhook_secrets=(sealed,),
            frame_ancestors=(),
            revision=1,
            created_us=1,
            updated_us=1,
        )
    )


async def failing_application(scene: Scene, seconds: float, seed: int) -> Verdict:
    """Let one application be well, hang, answer 500, and be well again; the others stay well."""
    chance, marks = random.Random(seed), [time.time()]
    moods = ((Mood.ANSWERS, 0.2), (Mood.HANGS, 0.4), (Mood.FAILS, 0.4))
    for mood, part in moods:
        scene.receiver.moods[SICK] = mood
        end = time.monotonic() + seconds * part
        while time.monotonic() < end:
            await scene.emit(chance.choice(list(scene.sessions)), chance)
            await asyncio.sleep(0.02)
        marks.append(time.time())
    scene.receiver.moods[SICK] = Mood.ANSWERS
    await scene.drained()
    names = ("answers", "hangs", "answers 500")
    notes: list[tuple[float, str]] = []
    for name, (since_s, until_s) in zip(names, pairwise(marks), strict=True):
        lags = sorted(
            lag
            for tenant_id in scene.sessions
            if tenant_id != SICK
            for lag in scene.receiver.find(tenant_id, since_s, until_s)
        )
        if lags:
            p99_s = round(lags[int(len(lags) * 0.99)], 3)
            notes.append((p99_s, f"s until the others heard (p99), while one application {name}"))
    notes += [(n, f"attempts at one that {m.value}") for m, n in scene.receiver.attempts.items()]
    verdict = await scene.verdict()
    return replace(verdict, notes=notes)


async def killed_processes(scene: Scene, count: int, seed: int) -> Verdict:
    """Kill workers and Redis at random while so many events are emitted and delivered."""
    chance, killed = random.Random(seed), Counter[str]()
    done = asyncio.Event()

    async def kill() -> None:
        while not done.is_set():
            await asyncio.sleep(chance.uniform(1.0, 3.0))
            if chance.random() < 0.25:
                scene.server.end()
                await asyncio.sleep(chance.uniform(0.0, 1.0))
                await asyncio.to_thread(scene.server.start)
                killed["redis"] += 1
            else:
                await asyncio.to_thread(scene.workers.replace, chance)
                killed["worker"] += 1

    async def emit(tenant_id: TenantId) -> None:
        own = random.Random(chance.random())
        while scene.emitted < count:
            await scene.emit(tenant_id, own)

    killing = asyncio.create_task(kill())
    try:
        await asyncio.gather(*(emit(tenant_id) for tenant_id in scene.sessions))
        await scene.drained()
    finally:
        done.set()
        await killing
    verdict = await scene.verdict()
    return replace(verdict, notes=[(n, f"kill -9 {name}") for name, n in killed.items()])


async def fail(seconds: float, seed: int) -> Verdict:
    """Run `failing_application` on a scene of its own."""
    async with scene() as running:
        return await failing_application(running, seconds, seed)


async def kill(count: int, seed: int) -> Verdict:
    """Run `killed_processes` on a scene of its own."""
    async with scene() as running:
        return await killed_processes(running, count, seed)
