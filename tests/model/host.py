"""The simulation around the whole host: sessions that end, outages, and what waits for their end.

Saves are let in, refused, kept and submitted by the real operations; Redis and the disk of the
spool are real. Besides what a commit meets, people fall silent for hours or are ended, storage or
Redis is away for longer than anybody waits, processes are stopped while they wait, and what was
kept is submitted at any moment. Whatever an editor was answered, what it sent is in the head or in
a recovery copy that was announced.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from genro_wopi.adapters.redis.client import text
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.save_ledger import RedisSaveLedger
from genro_wopi.adapters.unsettled_folder import UnsettledFolder
from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.errors import HostError, UnauthenticatedError
from genro_wopi.domain.identifiers import new_save_id
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.sessions import Session, SessionState
from genro_wopi.domain.unsettled_saves import Outcome
from genro_wopi.protocol.proof import ProofHeaders
from genro_wopi.protocol.put_file import PutFileHeaders
from genro_wopi.protocol.times import format_us
from genro_wopi.wopi_service.operations.admission import EditorRequest
from genro_wopi.wopi_service.operations.put_file import (
    OUTAGES,
    SaveRequest,
    admit_identified_save,
)
from genro_wopi.wopi_service.operations.receive_save import Incoming, Received, store
from genro_wopi.wopi_service.operations.unsettled import (
    SUBMITTED_LOCK_TTL_MS,
    Unsettled,
    submit,
    waiting,
)
from genro_wopi.wopi_service.service import WopiService
from tests.emulators.hours import pass_by
from tests.model.simulation import FAULTS, Answer, Fault, GatedLedger, Simulation
from tests.model.store import Node, decode
from tests.support.world import TENANT

PATIENCE_S = 1.5
OUTAGE_MAX_S = 5.0
ROUNDS_MAX = 30
ROOM_BYTES = 2**30
COPIES_MAX = 10_000


class LostTextError(AssertionError):
    """What somebody sent is nowhere."""


@dataclass(frozen=True)
class Put:
    """A PutFile."""

    claims: AccessClaims
    lock: str
    headers: PutFileHeaders


@dataclass
class HostSimulation(Simulation):
    """One run."""

    service: WopiService = field(kw_only=True)
    folder: Path = field(kw_only=True)
    answered: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    """Bodies with the status that their editors got."""
    outcomes: Counter[str] = field(default_factory=Counter[str])
    people: list[Session] = field(default_factory=list[Session])

    def __post_init__(self) -> None:
        self.faults_known = (*(f for f in FAULTS if f[0] not in COMMIT_ONLY), *SITUATIONS)
        super().__post_init__()
        self.puts: list[tuple[Put, bytes]] = []
        self.storage_until_s = self.redis_until_s = 0.0
        self._submission: asyncio.Task[Any] | None = None
        self.store.is_away = lambda: self.clock.now_s < self.storage_until_s
        self.saves = UnsettledFolder(self.folder, size_bytes_max=ROOM_BYTES, observe=self._observe)
        self.unsettled = self._unsettled()

    def _observe(self, _saves: int, _bytes: int, outcome: Outcome | None) -> None:
        self.outcomes[outcome or "kept"] += _saves > 0 or outcome is not None

    def _unsettled(self) -> Unsettled:
        world, host = self.world, self.service.host
        opener: Any = _Opener(self)
        ledgers = [
            RedisSaveLedger(world.redis, world.registry, lock_ttl_ms=ttl_ms)
            for ttl_ms in (world.lock_ttl_ms, SUBMITTED_LOCK_TTL_MS)
        ]
        gated: list[Any] = [GatedLedger(ledger, self) for ledger in ledgers]
        sessions: Any = GatedLedger(world.sessions, self)
        self.host = msgspec.structs.replace(
            host,
            clock=self.clock,
            storages=opener,
            ledger=gated[0],
            sessions=sessions,
            locks=world.locks,
            registry=world.registry,
        )
        return msgspec.structs.replace(
            self.service.unsettled,
            saves=self.saves,
            host=msgspec.structs.replace(self.host, ledger=gated[1]),
        )

    def take_outage(self) -> bool:
        """Tell whether Redis is away for this call."""
        return super().take_outage() or self.clock.now_s < self.redis_until_s

    def put(self, put: Put, body: bytes) -> asyncio.Task[Answer]:
        """Let a wopi-service handle one PutFile whose body came whole."""
        task = self._start(self._handled(put, body))
        task.set_name("handler")
        return task

    async def _handled(self, put: Put, body: bytes) -> Answer:
        host = self.host
        received = Received(
            _incoming(put),
            put.claims,
            MemoryBody(body),
            new_save_id(),
            host.clock.now_us(),
            host.clock.monotonic_s() + PATIENCE_S,
        )
        admitting: asyncio.Future[SaveRequest] = asyncio.get_running_loop().create_future()
        try:
            admitting.set_result(
                await admit_identified_save(host, put.claims, put.lock, put.headers)
            )
        except HostError as error:
            admitting.set_exception(error)
        try:
            saved = await store(host, self.unsettled, admitting, received)
        except OUTAGES:
            return self._told(503, body)
        except UnauthenticatedError:
            return self._told(401, body)
        except HostError:
            return self._told(409, body)
        return self._told(200, body, format_us(saved.head.last_modified_us))

    def _told(self, status: int, body: bytes, stamp: str = "") -> Answer:
        self.answered.append((status, body))
        return Answer(status, stamp)

    async def submit_what_waits(self) -> None:
        """Let the process submit what it kept, unless it is at it."""
        if self._submission is None or self._submission.done():
            self._submission = self._start(self._submitted())
            self._submission.set_name("submission")

    async def _submitted(self) -> None:
        for save in await waiting(self.unsettled):
            await submit(self.unsettled, save)

    async def end(self) -> None:
        """Let everything be back, submit all, and look for whatever anybody sent."""
        self.faults_max, self.storage_until_s, self.redis_until_s = 0, 0.0, 0.0
        for _ in range(ROUNDS_MAX):
            if not await self.saves.waiting():
                break
            await self.submit_what_waits()
            await self._steps()
        left = await self.saves.waiting()
        self.saves.close()
        assert not left, f"seed {self.seed}: {len(left)} saves wait for ever"
        if self._submission is not None and not self._submission.cancelled():
            self._submission.result()
        await self._look()

    async def _look(self) -> None:
        found, announced = decode(self.store.content), await self._announced()
        listed = await self.host.rescues.list_ids(TENANT, after="", limit=COPIES_MAX)
        for rescue_id, _ in listed:
            rescue = await self.host.rescues.get(TENANT, rescue_id)
            if rescue is not None and rescue_id in announced:
                found |= decode(self.store.copies[rescue_id])
        for status, body in self.answered:
            lost = decode(body) - found
            if lost:
                raise LostTextError(
                    f"seed {self.seed}: {sorted(lost)} was answered {status}, after {self.faults}"
                )

    async def _announced(self) -> set[str]:
        entries = await self.world.redis.call("XRANGE", self._keys.events, "-", "+")
        named: set[str] = set()
        for _, fields in entries:
            pairs = dict(zip(map(text, fields[::2]), map(text, fields[1::2]), strict=True))
            if pairs["name"] == "save_rescued":
                named.add(pairs["recovery_id"])
        return named

    # What happens besides what a commit meets

    async def hours_pass(self) -> None:
        """Two hours in which one of those who have the document keeps its lock."""
        lease = await self.world.locks.state(self.file.file_id)
        keepers = [p for p in self.people if lease and p.session_id == lease.session]
        for _ in range(self.chance.randint(2, 8)):
            await pass_by(self.world.redis, self.file.file_id, 15 * 60)
            for session in keepers:
                assert lease is not None
                request = msgspec.structs.replace(
                    self.world.lock(session, lease.lock_id), editor=lease.editor
                )
                try:
                    await self.world.locks.refresh(request, deadline_s=0.0)
                except HostError:
                    keepers = []

    async def night_passes(self) -> None:
        """The laptop sleeps: nobody keeps the lock."""
        await pass_by(self.world.redis, self.file.file_id, self.chance.choice((40, 300)) * 60)

    async def revoke(self) -> None:
        await self._end_somebody(SessionState.REVOKED)

    async def close(self) -> None:
        await self._end_somebody(SessionState.DRAINING)

    async def _end_somebody(self, state: SessionState) -> None:
        session = self.chance.choice(self.people) if self.people else None
        if session is None:
            return
        await self.world.sessions.end(session.session_id, state)
        if self.chance.random() < 0.5:  # Long ago.
            key = FileKeys(session.file_id).session(session.session_id)
            await self.world.redis.call("HSET", key, "expires_us", 1)

    async def take_storage(self) -> None:
        self.storage_until_s = self.clock.now_s + self.chance.uniform(0.1, OUTAGE_MAX_S)

    async def take_redis(self) -> None:
        self.redis_until_s = self.clock.now_s + self.chance.uniform(0.1, OUTAGE_MAX_S)

    async def die(self) -> None:
        """The process that kept saves is gone; the next one finds them on the disk."""
        if not self.unsettled.coming:
            self.saves.close()

    async def resend_put(self) -> None:
        """An old request arrives once more; nobody waits for its answer."""
        if self.puts:
            self.put(*self.chance.choice(self.puts))


COMMIT_ONLY = frozenset({"late duplicate", "a replica stalls", "failover"})
"""What needs requests of the commit alone; a failover is simulated with that."""

SITUATIONS: tuple[tuple[str, Fault], ...] = (
    ("hours pass, one keeps the lock", HostSimulation.hours_pass),
    ("nobody keeps the lock", HostSimulation.night_passes),
    ("somebody is revoked", HostSimulation.revoke),
    ("somebody's session is closed", HostSimulation.close),
    ("the storage is away", HostSimulation.take_storage),
    ("Redis is away for long", HostSimulation.take_redis),
    ("what waits is submitted", HostSimulation.submit_what_waits),
    ("the process dies", HostSimulation.die),
    ("a late copy of a request", HostSimulation.resend_put),
)


class _Opener:
    """Opens the simulated storage, whichever is asked for."""

    def __init__(self, simulation: HostSimulation) -> None:
        self._simulation = simulation

    async def open(self, _storage: object) -> "_Opener":
        return self

    def node(self, path: str) -> Node:
        return Node(self._simulation.store, path)


def _incoming(put: Put) -> Incoming:
    request = EditorRequest(
        file_id=put.claims.file_id,
        token="",
        target="",
        proof=ProofHeaders(proof="", proof_old="", ticks=""),
        request_id="",
    )
    receive: Any = None  # The body is here.
    return Incoming(request=request, lock=put.lock, headers=put.headers, receive=receive)
