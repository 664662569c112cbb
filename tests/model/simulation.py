"""Runs saves one step at a time, in an order and with faults that a seed decides.

The commit protocol, the lock scripts and Redis are the real ones; the storage is simulated, so that
a write can be on its way, arrive late, or arrive without its answer. Each await of a save on Redis
or the storage is a gate: the simulation opens one at a time.

A file's bytes are the set of updates that were ever typed into them; a save adds one. An update
that was acknowledged must be in the head, whatever happened.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.domain import commit as commit_module
from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.errors import (
    FileChangedError,
    HostError,
    LockMismatchError,
    UnavailableError,
)
from genro_wopi.domain.identifiers import new_save_id
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.saves import Save, Saved, SaveLedger
from genro_wopi.domain.sessions import SessionStore
from genro_wopi.domain.storages import Body
from genro_wopi.protocol.times import format_us
from tests.model.store import Node, Store, decode
from tests.support.world import World

STEPS_MAX = 3_000
STEP_S = 0.05
SAVE_S = 25.0
FAULTS_MAX = 4
FAULT_CHANCE = 0.12
ARRIVAL_CHANCE = 0.4
NEVER_CHANCE = 0.3
REPLICA_TTL_MS = 600_000
ENDED_BY_KILL = frozenset({"handler", "submission"})

Algorithm = Callable[[Any, Node, "SimulatedClock", Save, Body, float], Awaitable[Saved]]


class LostUpdateError(AssertionError):
    """An acknowledged update is not in the head."""


class SimulatedClock(SystemClock):
    """Time that passes with the steps of the simulation."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s


@dataclass(frozen=True)
class Answer:
    """What a client is told."""

    status: int
    stamp: str = ""


@dataclass
class Simulation:
    """One run."""

    seed: int
    world: World
    algorithm: Algorithm | None
    """None where the whole host saves."""
    faults_max: int = FAULTS_MAX
    faults_known: "Sequence[tuple[str, Fault]]" = ()
    acknowledged: set[str] = field(default_factory=lambda: {"start"})
    conflicts: int = 0
    """Saves of living clients that were answered 409."""
    faults: list[str] = field(default_factory=list[str])
    """What went wrong, in order; with the seed it tells the whole story."""

    def __post_init__(self) -> None:
        self.faults_known = self.faults_known or FAULTS
        self.chance = random.Random(self.seed)  # noqa: S311 - repeatable
        self.clock = SimulatedClock()
        self.store = Store(self.gate)
        self.sent: list[tuple[Save, bytes]] = []
        self._waiting: dict[asyncio.Task[Any], asyncio.Future[None]] = {}
        self._tasks: list[asyncio.Task[Any]] = []
        self._moved = asyncio.Event()
        self._outages = 0
        self._replica: list[tuple[str, bytes]] = []

    async def gate(self) -> None:
        """Wait until the simulation lets this task go on."""
        task = asyncio.current_task()
        assert task is not None
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[task] = opened
        self._moved.set()
        await opened

    async def run(self, live: Callable[["Simulation", int], Coroutine[Any, Any, None]]) -> None:
        """Run two clients to their end, looking after each step for what was acknowledged."""
        self.file = await self.world.file(f"{self.seed}.txt", seen=False)
        await self.world.registry.observe(self.file.file_id, self.store.head)
        self._keys = FileKeys(self.file.file_id)
        clients = [self._start(live(self, number)) for number in range(2)]
        try:
            await self._steps()
            await self.end()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in clients:
            if not client.cancelled():
                client.result()
        self._check()

    async def end(self) -> None:
        """Do what is done when the clients are at their end."""

    async def _steps(self) -> None:
        for _ in range(STEPS_MAX):
            await self._settle()
            if not self._waiting and not self.store.under_way:
                return
            await self._step()
            self._check()

    def handle(self, save: Save, body: bytes) -> asyncio.Task[Answer]:
        """Let a wopi-service handle one PutFile."""
        task = self._start(self._handler(save, body))
        task.set_name("handler")
        return task

    def fails(self, what: str) -> bool:
        """Tell whether something goes wrong now, and note it."""
        if len(self.faults) >= self.faults_max or self.chance.random() > FAULT_CHANCE / 3:
            return False
        self.faults.append(what)
        return True

    def take_outage(self) -> bool:
        """Tell whether Redis is away for this call."""
        self._outages, is_out = max(0, self._outages - 1), self._outages > 0
        return is_out

    async def _handler(self, save: Save, body: bytes) -> Answer:
        ledger: Any = GatedLedger(self.world.ledger, self)
        fresh = msgspec.structs.replace(save, save_id=new_save_id())
        deadline_s = self.clock.monotonic_s() + SAVE_S
        node = Node(self.store, self.file.path)
        assert self.algorithm is not None
        try:
            saved = await self.algorithm(
                ledger, node, self.clock, fresh, MemoryBody(body), deadline_s
            )
        except (LockMismatchError, FileChangedError):
            return Answer(409)
        except HostError:
            return Answer(503)
        return Answer(200, format_us(saved.head.last_modified_us))

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.append(task)
        task.add_done_callback(lambda _: self._moved.set())
        return task

    def _check(self) -> None:
        lost = self.acknowledged - decode(self.store.content)
        if lost:
            raise LostUpdateError(
                f"seed {self.seed}: {sorted(lost)} acknowledged and gone after {self.faults}"
            )

    async def _settle(self) -> None:
        """Wait until every task is at a gate, or at its end."""
        while any(not t.done() and t not in self._waiting for t in self._tasks):
            self._moved.clear()
            await self._moved.wait()

    async def _step(self) -> None:
        self.clock.now_s += STEP_S
        if len(self.faults) < self.faults_max and self.chance.random() < FAULT_CHANCE:
            name, fault = self.chance.choice(self.faults_known)
            self.faults.append(name)
            await fault(self)
            return
        arrives = self.store.under_way and self.chance.random() < ARRIVAL_CHANCE
        if arrives or not self._waiting:
            self.store.land(self.chance.choice(self.store.under_way))
            return
        task = self.chance.choice(list(self._waiting))
        self._waiting.pop(task).set_result(None)

    async def lose_lock(self) -> None:
        await self.world.redis.call("DEL", self._keys.lock)

    async def stall_replica(self) -> None:
        """Remember what a replica has whose link stalls now."""
        self._replica = []
        for key in (self._keys.file, self._keys.lock, self._keys.released):
            dumped = await self.world.redis.call("DUMP", key)
            if dumped:
                self._replica.append((key, dumped))

    async def fail_over(self) -> None:
        """Go on with what the replica has."""
        if not self._replica:
            return
        await self.world.redis.call("DEL", self._keys.lock, self._keys.released)
        for key, dumped in self._replica:
            is_file = key == self._keys.file
            life_ms = 0 if is_file else REPLICA_TTL_MS
            await self.world.redis.call("RESTORE", key, life_ms, dumped, "REPLACE")

    async def kill(self) -> None:
        """End a handler as kill -9 does; what it sent to the storage goes on."""
        handlers = [t for t in self._waiting if t.get_name() in ENDED_BY_KILL]
        if handlers:
            victim = self.chance.choice(handlers)
            self._waiting.pop(victim)
            victim.cancel()

    async def lose_answer(self) -> None:
        """The storage's answer to a write is lost; the write arrives later, or never."""
        if self.store.under_way:
            write = self.chance.choice(self.store.under_way)
            write.outcome = "lost"
            if self.chance.random() < NEVER_CHANCE:
                self.store.under_way.remove(write)

    async def outage(self) -> None:
        self._outages += self.chance.randint(1, 2)

    async def write_outside(self) -> None:
        self.store.write_outside(f"outside-{len(self.faults)}")

    async def resend(self) -> None:
        """An old request arrives once more; nobody waits for its answer."""
        if self.sent:
            self.handle(*self.chance.choice(self.sent))


Fault = Callable[[Any], Awaitable[None]]

FAULTS: tuple[tuple[str, Fault], ...] = (
    ("the lock is lost", Simulation.lose_lock),
    ("a replica stalls", Simulation.stall_replica),
    ("failover", Simulation.fail_over),
    ("kill -9", Simulation.kill),
    ("a storage answer is lost", Simulation.lose_answer),
    ("Redis is away", Simulation.outage),
    ("outside write", Simulation.write_outside),
    ("late duplicate", Simulation.resend),
)


class GatedLedger:
    """The real ledger, or another store, with a gate before and after each call, and outages."""

    def __init__(self, ledger: SaveLedger | SessionStore, simulation: Simulation) -> None:
        self._ledger, self._simulation = ledger, simulation

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._ledger, name)

        async def gated(*arguments: Any, **more: Any) -> Any:
            await self._simulation.gate()
            if self._simulation.take_outage():
                raise UnavailableError("Redis is away")
            if "deadline_s" in more:
                more["deadline_s"] = 0.0
            answer = await call(*arguments, **more)
            await self._simulation.gate()
            return answer

        return gated


def pause_at_gates(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a commit that waits do so at a gate of the simulation instead of for a time."""

    async def sleep(_seconds: float) -> None:
        await simulation.gate()

    monkeypatch.setattr(commit_module, "asyncio", SimpleNamespace(sleep=sleep))
