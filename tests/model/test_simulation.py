"""No order of events and faults loses an acknowledged update; the obvious way loses them."""

import itertools
import os
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.domain.commit import Commit
from genro_wopi.domain.errors import LockMismatchError
from genro_wopi.domain.files import Evidence, known_from_evidence
from genro_wopi.domain.identifiers import Version
from genro_wopi.domain.locks import LockRequest, mismatch
from genro_wopi.domain.saves import Save, Saved, Standing
from genro_wopi.domain.sessions import Session
from genro_wopi.domain.storages import Body
from genro_wopi.protocol.lock_id import LockId
from genro_wopi.protocol.times import format_us
from tests.model.simulation import (
    Answer,
    LostUpdateError,
    SimulatedClock,
    Simulation,
    pause_at_gates,
)
from tests.model.store import Node, decode, encode
from tests.support.world import World

ATTEMPTS = 3
RUNS = int(os.environ.get("WOPI_MODEL_RUNS", "600"))
"""More find more: a failing seed is printed, and fails again."""

RUNS_WITHOUT_FAULTS = RUNS // 5
RUNS_UNTIL_LOST = 400

_ticks = itertools.count(time.time_ns() // 100)


async def by_protocol(
    ledger: Any, node: Any, clock: SimulatedClock, save: Save, body: Body, deadline_s: float
) -> Saved:
    return await Commit(ledger, node, clock).put_file(save, body, deadline_s=deadline_s)


async def by_looking_at_the_lock(
    ledger: Any, node: Node, clock: SimulatedClock, save: Save, body: Body, deadline_s: float
) -> Saved:
    """Save as the plan did: look at the lock, then write."""
    begun = await ledger.begin(save, deadline_s=deadline_s)
    if begun.standing is not Standing.HELD:
        raise mismatch(begun.lease)
    evidence = Evidence(
        save_id=save.save_id,
        session=save.session_id,
        epoch=begun.lease.epoch,
        attempt=save.attempt,
        base="",
        sequence=(begun.known.sequence if begun.known else 0) + 1,
        version=Version(save.save_id),
        last_modified_us=clock.now_us(),
        sha256=body.sha256,
    )
    head = known_from_evidence(await node.write(body, evidence, None))
    assert head is not None
    saved = Saved(head=head, epoch=begun.lease.epoch, forced=False, is_news=True)
    await ledger.publish(save, saved)
    return saved


@dataclass
class Editor:
    """One editor: opens, locks, types, saves and tries again, closes."""

    simulation: Simulation
    session: Session
    lock_id: LockId
    one_process: bool
    updates: set[str] = field(default_factory=set[str])
    stamp: str = ""

    async def live(self) -> None:
        for _ in range(2):
            if await self._opened():
                for _ in range(self.simulation.chance.randint(1, 2)):
                    if not await self._saved():
                        return  # In conflict, or given up: the person is asked.
                await self._change_lock("unlock")

    async def _opened(self) -> bool:
        """Read and lock, in the order of this editor's version."""
        if self.simulation.chance.random() < 0.5:
            await self._read()
            return await self._change_lock("lock")
        locked = await self._change_lock("lock")
        await self._read()
        return locked

    async def _read(self) -> None:
        simulation = self.simulation
        await simulation.gate()
        head, content = simulation.store.head, simulation.store.content
        known = await simulation.world.registry.observe(
            self.session.file_id, head, reader=self.session.session_id
        )
        self.stamp, self.updates = format_us(known.last_modified_us), decode(content)

    async def _change_lock(self, operation: str) -> bool:
        await self.simulation.gate()
        request = LockRequest(
            file_id=self.session.file_id,
            session_id=self.session.session_id,
            lock_id=self.lock_id,
            request_id=uuid.uuid4().hex,
            attempt=next(_ticks),
            can_edit=True,
            holder="Anna",
        )
        try:
            await getattr(self.simulation.world.locks, operation)(request, deadline_s=0.0)
        except LockMismatchError:
            return False
        return True

    async def _saved(self) -> bool:
        update = uuid.uuid4().hex[:8]
        self.updates.add(update)
        for _ in range(ATTEMPTS):
            answer = await self._answer()
            if answer is None or answer.status == 503:
                continue
            if answer.status == 409:
                self.simulation.conflicts += 1
                return False
            self.simulation.acknowledged.add(update)
            self.stamp = answer.stamp
            return True
        return False

    async def _answer(self) -> Answer | None:
        """Send a save; None where the answer never came, whatever became of the save."""
        save = Save(
            save_id="",
            file_id=self.session.file_id,
            session_id=self.session.session_id,
            session_created_us=self.session.created_us,
            lock_id=self.lock_id,
            timestamp=self.stamp,
            attempt=next(_ticks),
            one_process_per_document=self.one_process,
        )
        body = encode(self.updates)
        self.simulation.sent.append((save, body))
        handling = self.simulation.handle(save, body)
        while not handling.done():
            await self.simulation.gate()
            if self.simulation.fails("the client's answer is lost"):
                return None
        return None if handling.cancelled() else handling.result()


async def live(simulation: Simulation, number: int) -> None:
    session = await simulation.world.session(simulation.file)
    one_process = simulation.seed % 2 == 0
    await Editor(simulation, session, LockId(f"cool-lock{number}"), one_process).live()


async def simulated(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch, seed: int, algorithm: Any, **more: Any
) -> Simulation:
    simulation = Simulation(seed, World(redis), algorithm, **more)
    pause_at_gates(simulation, monkeypatch)
    await simulation.run(live)
    return simulation


@pytest.mark.timeout(3600)
async def test_no_acknowledged_update_is_lost(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged = faults = 0
    for seed in range(RUNS):
        simulation = await simulated(redis, monkeypatch, seed, by_protocol)
        acknowledged += len(simulation.acknowledged) - 1
        faults += len(simulation.faults)
    assert acknowledged > RUNS
    assert faults > RUNS


@pytest.mark.timeout(3600)
async def test_without_faults_nobody_is_in_conflict(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(RUNS_WITHOUT_FAULTS):
        simulation = await simulated(redis, monkeypatch, seed, by_protocol, faults_max=0)
        assert simulation.conflicts == 0, f"seed {seed}"


@pytest.mark.timeout(3600)
async def test_the_obvious_way_loses_updates_in_the_same_simulation(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[int] = []
    for seed in range(RUNS_UNTIL_LOST):
        try:
            await simulated(redis, monkeypatch, seed, by_looking_at_the_lock)
        except LostUpdateError:
            lost.append(seed)
            if len(lost) == 3:
                break
    assert len(lost) == 3
