"""Editors of the whole host's simulation: one for all of its people, with any of their tokens."""

import itertools
import time
import uuid
from dataclasses import dataclass, field

import msgspec

from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.errors import HostError
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.sessions import Asker, Purpose, Session
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.protocol.put_file import PutFileHeaders
from genro_wopi.protocol.times import format_us
from tests.model.host import HostSimulation, Put
from tests.model.simulation import Answer
from tests.model.store import decode, encode

ATTEMPTS = 3
LIFE_MS = 20 * 60 * 1000
_ticks = itertools.count(time.time_ns() // 100)


@dataclass
class Office:
    """One process, or one server, of an editor, and those who have the document there."""

    simulation: HostSimulation
    kind: EditorKind
    address: str
    tells_times: bool
    lock: str = ""
    """OnlyOffice shows the same for ever; the others draw one whenever they load."""
    people: list[Session] = field(default_factory=list[Session])
    updates: set[str] = field(default_factory=set[str])
    stamp: str = ""

    async def live(self) -> None:
        """Open twice, save with anybody's token, close; the last save is sent once or repeated."""
        chance = self.simulation.chance
        for _ in range(2):
            if not await self._opened():
                continue
            for _ in range(chance.randint(1, 3)):
                if not await self._saved(ATTEMPTS):
                    break
            if chance.random() < 0.5:
                await self._saved(1 if self.kind is EditorKind.ONLYOFFICE else ATTEMPTS)
            if chance.random() < 0.7:  # Else the UNLOCK is lost, or the browser was closed.
                await self._change_lock("unlock")

    async def _opened(self) -> bool:
        """Let two people in: one loads and locks for all, as OnlyOffice the other locks too."""
        simulation, chance = self.simulation, self.simulation.chance
        if not self.people or chance.random() < 0.5:  # Else the page is loaded again.
            self.people = [await self._person(simulation.file) for _ in range(2)]
        first, second = self.people
        try:
            await self._asks(first, Purpose.READ)
            await simulation.gate()
            known = await simulation.world.registry.observe(
                first.file_id,
                simulation.store.head,
                reader=first.session_id,
                editor=self.address,
            )
            content = simulation.store.content
        except HostError:
            return False
        is_constant = self.kind is EditorKind.ONLYOFFICE
        self.lock = "the same" if is_constant else f"cool-lock{uuid.uuid4().hex[:8]}"
        self.stamp, self.updates = format_us(known.last_modified_us), decode(content)
        if not await self._change_lock("lock", first):
            return False
        try:
            await self._asks(second, Purpose.CHECK)
        except HostError:
            return True
        if self.kind is EditorKind.ONLYOFFICE:
            await self._change_lock("lock", second)
        return True

    async def _person(self, file: FileRecord) -> Session:
        session = await self.simulation.world.session(file, kind=self.kind, ttl_ms=LIFE_MS)
        self.simulation.people.append(session)
        return session

    async def _asks(self, session: Session, purpose: Purpose) -> None:
        await self.simulation.gate()
        await self.simulation.world.sessions.admit(
            session.session_id,
            session.file_id,
            purpose,
            deadline_s=0.0,
            asker=Asker(self.address),
        )

    async def _change_lock(self, operation: str, session: Session | None = None) -> bool:
        await self.simulation.gate()
        world = self.simulation.world
        session = session or self.simulation.chance.choice(self.people)
        request = msgspec.structs.replace(
            world.lock(session, self.lock, request_id=uuid.uuid4().hex),
            attempt=next(_ticks) if self.tells_times else 0,
            editor=self.address,
        )
        try:
            await getattr(world.locks, operation)(request, deadline_s=0.0)
        except HostError:
            return False
        return True

    async def _saved(self, attempts: int) -> bool:
        """Type and save with somebody's token; after a 401 with another one's."""
        simulation = self.simulation
        update = uuid.uuid4().hex[:8]
        self.updates.add(update)
        session = simulation.chance.choice(self.people)
        for _ in range(attempts):
            answer = await self._answer(session)
            status = answer.status if answer is not None else 503
            if answer is not None and status == 200:
                simulation.acknowledged |= self.updates
                self.stamp = answer.stamp
                return True
            if status == 409:
                simulation.conflicts += 1
                return False
            if status == 401:
                session = self.people[1 - self.people.index(session)]
        return False

    async def _answer(self, session: Session) -> Answer | None:
        """Send a save; None where the answer never came, whatever became of the save."""
        simulation = self.simulation
        put = Put(
            claims=AccessClaims(
                session_id=session.session_id,
                file_id=session.file_id,
                tenant_id=session.tenant_id,
                editor="",
                can_edit=True,
                user=session.user,
                expires_us=session.created_us + 3_600_000_000,
                editor_kind=self.kind,
                address=self.address,
            ),
            lock=self.lock,
            headers=PutFileHeaders(
                timestamp=self.stamp,
                attempt=next(_ticks) if self.tells_times else 0,
                is_modified_by_user=True,
                is_autosave=False,
                is_exit_save=False,
                editors=(),
                size_bytes=None,
            ),
        )
        body = encode(self.updates)
        simulation.puts.append((put, body))
        handling = simulation.put(put, body)
        while not handling.done():
            await simulation.gate()
            if simulation.fails("the client's answer is lost"):
                return None
        return None if handling.cancelled() else handling.result()
