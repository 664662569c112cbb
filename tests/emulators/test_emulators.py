"""Any order of what editors and the world do: no lost text, no false conflict, no false read-only.

The service, Redis and the folder are real; the storage fails where `Fault` says, answers get lost,
locks vanish, requests arrive a second time late, and other programs write the file.
"""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx
import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from genro_wopi.adapters.redis.client import connect
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.domain.sessions import Session, SessionState
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.wopi_service.app import create_app
from genro_wopi.wopi_service.operations.host import node_of
from tests.emulators.editors import Collabora, Document, Microsoft, OnlyOffice, Told
from tests.emulators.faults import Fault, FaultyLedger, FaultyOpener
from tests.emulators.hours import pass_by
from tests.support.in_process import Wopi, wopi_in_process
from tests.support.world import TENANT

USERS = st.integers(0, 2)
HOURS = st.integers(1, 3)
ENDS = st.sampled_from([SessionState.DRAINING, SessionState.REVOKED])
VERSIONS = st.sampled_from(["22.05", "24.04", "25.04"])
FAULTS = st.sampled_from(list(Fault))
KEPT_MAX = 1000
D = TypeVar("D", bound=Document)


class HostMachine(RuleBasedStateMachine, Generic[D]):
    """One file, its editors, and everything that may go wrong."""

    url = ""
    kind = EditorKind.COLLABORA
    document: D

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.told = Told()
        self.answers_lost = self.outside_writes = 0
        self.changed_outside = False
        """Since the document was opened: a conflict is true then."""
        self.lock_lost = self.hours_passed = False
        self.sessions: dict[str, Session] = {}
        self.runner.run(self._start())

    async def _start(self) -> None:
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        redis = await self.stack.enter_async_context(connect(self.url))
        await redis.call("FLUSHALL")
        self.wopi: Wopi = await wopi_in_process(self.stack, redis, self.url, folder)
        (self.wopi.folder / "a.txt").write_bytes(b'["start"]')
        self.told.stored.append(b'["start"]')
        host = self.wopi.service.host
        self.opener = FaultyOpener(host.storages)
        self.ledger = FaultyLedger(host.ledger)
        ledger: Any = self.ledger
        host = msgspec.structs.replace(host, storages=self.opener, ledger=ledger)
        service = msgspec.structs.replace(self.wopi.service, host=host)
        transport = httpx.ASGITransport(create_app(service, redis))  # pyright: ignore[reportArgumentType] - litestar's own types
        self.http = httpx.AsyncClient(verify=False, transport=transport, base_url="http://wopi")
        self.stack.push_async_callback(self.http.aclose)

    async def send(
        self, method: str, suffix: str, token: str, headers: dict[str, str], body: bytes
    ) -> httpx.Response | None:
        before = (self.wopi.folder / "a.txt").read_bytes()
        answer = await self.http.request(
            method,
            self.wopi.path + suffix,
            params={"access_token": token},
            headers=headers,
            content=body or None,
        )
        if answer.status_code == 503:
            now = (self.wopi.folder / "a.txt").read_bytes()
            assert now == before, "stored and not acknowledged"
        if self.answers_lost and suffix == "/contents" and method == "POST":
            self.answers_lost -= 1
            return None
        return answer

    def user(self, *, edit: bool = True, server: str = "one") -> str:
        async def make() -> str:
            file = await self.wopi.world.registry.record(self.wopi.session.file_id)
            assert file is not None
            session = await self.wopi.world.session(file, edit=edit, kind=self.kind)
            claims = self.wopi.claims_of(session)
            token = self.wopi.signer.sign(
                msgspec.structs.replace(claims, address=server, editor_kind=self.kind)
            ).reveal()
            self.sessions[token] = session
            return token

        return self.runner.run(make())

    def end(self, token: str, state: SessionState) -> None:
        """Let the application close or revoke somebody's session."""
        if state is SessionState.REVOKED:
            self.told.ended.add(token)
        self.runner.run(self.wopi.world.sessions.end(self.sessions[token].session_id, state))

    def pass_by(self, minutes: int) -> None:
        self.hours_passed = True
        file_id = self.wopi.session.file_id
        self.runner.run(pass_by(self.wopi.redis, file_id, minutes * 60))

    def check_answers(self) -> None:
        if self.lock_lost and (self.hours_passed or self.told.ended):
            # A session that is over saves what its lock protects, and Redis has forgotten the lock.
            # The text is kept aside, which the end looks at; repeated with another token, and
            # without the timestamp, nothing proves any more that it was made from the head.
            wrong = [w for w in self.told.wrong if not w.startswith("401 to PUT:")]
            self.told.wrong = wrong
            if self.told.turned_away:
                self.told.conflicts = 0
        self.told.turned_away = 0
        assert not self.told.wrong
        if not self.changed_outside:
            assert self.told.conflicts == 0, "a conflict that nobody made"

    @rule(fault=FAULTS)
    def the_next_write_fails(self, fault: Fault) -> None:
        if fault is Fault.UNPUBLISHED:
            self.ledger.failing = 1
        else:
            self.opener.faults.append(fault)

    @rule()
    def the_next_answer_is_lost(self) -> None:
        self.answers_lost = 1

    @rule(index=st.integers(0, 30))
    def a_save_arrives_a_second_time(self, index: int) -> None:
        if not self.told.requests:
            return
        token, headers, body = self.told.requests[index % len(self.told.requests)]
        lost, self.answers_lost = self.answers_lost, 0
        self.runner.run(self.send("POST", "/contents", token, headers, body))
        self.answers_lost = lost

    @precondition(lambda self: self.document.is_open)
    @rule()
    def another_program_writes(self) -> None:
        """What it replaces is its own doing."""
        self.changed_outside = True
        file, draft = self.wopi.folder / "a.txt", self.wopi.folder / "draft"
        replaced = file.read_bytes()
        self.told.stored = [body for body in self.told.stored if body != replaced]
        self.outside_writes += 1
        draft.write_bytes(b'["outside %d"]' % self.outside_writes)
        draft.replace(file)
        self.told.stored.append(file.read_bytes())

    def lose_lock(self) -> None:
        lock = FileKeys(self.wopi.session.file_id).lock
        self.runner.run(self.wopi.redis.call("DEL", lock))

    def teardown(self) -> None:
        try:
            self.runner.run(self._check_kept())
        finally:
            self.runner.run(self.stack.aclose())
            self.runner.close()

    async def _check_kept(self) -> None:
        """Every acknowledged body is the head or a version; every refused one a recovery copy."""
        host = self.wopi.service.host
        record = await host.registry.record(self.wopi.session.file_id)
        assert record is not None
        node = await node_of(host, record)
        kept = {(self.wopi.folder / record.path).read_bytes()}
        for version in await node.versions(limit=KEPT_MAX):
            async with node.open_version(version.key) as chunks:
                kept.add(b"".join([c async for c in chunks]))
        missing = [body for body in self.told.stored if body not in kept]
        assert not missing, "acknowledged and gone"
        copies: set[bytes] = set()
        for rescue_id, _ in await host.rescues.list_ids(TENANT, after="", limit=KEPT_MAX):
            async with node.open_rescued(rescue_id) as chunks:
                copies.add(b"".join([c async for c in chunks]))
        thrown_away = [body for body in self.told.refused if body not in copies | kept]
        assert not thrown_away, "refused and thrown away"


class CollaboraMachine(HostMachine[Collabora]):
    """One or two Collabora processes on one file."""

    def __init__(self) -> None:
        super().__init__()
        self.document = Collabora(self.send, self.told)
        self.other = Collabora(self.send, self.told)

    @rule(version=VERSIONS)
    def a_user_joins(self, version: str) -> None:
        document = self.document
        if not document.is_open:
            document.version, self.changed_outside = version, False
            self.told.conflicts = 0
        opened = self.runner.run(document.join(self.user()))
        assert opened is not self.other.is_open or document.is_open
        self.check_answers()

    @precondition(lambda self: not self.document.is_open)
    @rule(version=VERSIONS)
    def another_process_opens_and_saves(self, version: str) -> None:
        self.other.version, self.changed_outside = version, False
        self.told.conflicts = 0
        assert self.runner.run(self.other.join(self.user())), "read-only without need"
        self.other.type()
        self.runner.run(self.other.save(0))
        self.check_answers()
        self.runner.run(self.other.close(0))

    @precondition(lambda self: self.document.is_open)
    @rule()
    def a_second_process_is_read_only(self) -> None:
        if not self.lock_lost:
            assert not self.runner.run(self.other.join(self.user()))
            self.other.is_open = False

    @precondition(lambda self: self.document.is_open)
    @rule(user=USERS)
    def somebody_types_and_it_is_saved(self, user: int) -> None:
        if self.document.in_conflict:
            return
        self.document.type()
        self.runner.run(self.document.save(user))
        self.check_answers()
        self.lock_lost = self.lock_lost and self.document.is_modified

    @precondition(lambda self: self.document.is_open and not self.lock_lost)
    @rule(user=USERS, hours=HOURS)
    def hours_pass_in_which_one_token_refreshes(self, user: int, hours: int) -> None:
        for _ in range(4 * hours):
            self.pass_by(15)
            assert self.runner.run(self.document.refresh(user)), "read-only without need"

    @precondition(lambda self: self.document.is_open and len(self.document.users) > 1)
    @rule(user=USERS, state=ENDS)
    def somebody_leaves_and_is_ended(self, user: int, state: SessionState) -> None:
        self.end(self.document.leave(user), state)

    @precondition(lambda self: self.document.is_open and len(self.document.users) > 1)
    @rule(user=USERS)
    def somebody_who_is_there_is_revoked(self, user: int) -> None:
        users = self.document.users
        self.end(users[user % len(users)], SessionState.REVOKED)
        self.lock_lost = True  # It is refreshed with that token until the editor hears of it.

    @rule()
    def a_reader_opens(self) -> None:
        reader = Collabora(self.send, self.told)
        reader.is_open = self.document.is_open
        assert self.runner.run(reader.join(self.user(edit=False), can_edit=False))
        self.check_answers()

    @precondition(lambda self: self.document.is_open and self.document.in_conflict)
    @rule(user=USERS)
    def the_person_overwrites(self, user: int) -> None:
        self.runner.run(self.document.overwrite(user))
        self.told.conflicts = 0
        self.check_answers()

    @precondition(lambda self: self.document.is_open and not self.lock_lost)
    @rule(user=USERS)
    def the_lock_is_refreshed(self, user: int) -> None:
        assert self.runner.run(self.document.refresh(user)), "read-only without need"

    @precondition(lambda self: self.document.is_open)
    @rule()
    def the_lock_vanishes(self) -> None:
        self.lock_lost = True
        self.lose_lock()

    @precondition(lambda self: self.document.is_open)
    @rule(user=USERS)
    def the_document_is_closed(self, user: int) -> None:
        if not self.document.in_conflict:
            self.document.type()
        self.runner.run(self.document.close(user))
        self.check_answers()
        self.lock_lost = False


class OnlyOfficeMachine(HostMachine[OnlyOffice]):
    """One OnlyOffice server with an editor and readers."""

    kind = EditorKind.ONLYOFFICE

    def __init__(self) -> None:
        super().__init__()
        self.document = OnlyOffice(self.send, self.told, lock=self.wopi.session.file_id)

    @rule()
    def a_user_opens(self) -> None:
        if not self.document.is_open:
            self.changed_outside, self.told.conflicts = False, 0
        assert self.runner.run(self.document.join(self.user())), "read-only without need"
        self.check_answers()

    @rule()
    def a_reader_opens(self) -> None:
        reader = OnlyOffice(self.send, self.told, lock=self.document.lock)
        assert self.runner.run(reader.join(self.user(edit=False), can_edit=False))
        self.check_answers()

    @precondition(lambda self: self.document.is_open)
    @rule()
    def another_server_is_read_only(self) -> None:
        other = OnlyOffice(self.send, self.told, lock=self.document.lock)
        token = self.user(server="two")
        assert not self.runner.run(other.join(token))
        assert not self.runner.run(other.change_lock("UNLOCK", token))

    @precondition(lambda self: not self.document.is_open)
    @rule()
    def another_server_opens_and_saves(self) -> None:
        other = OnlyOffice(self.send, self.told, lock=self.document.lock)
        self.changed_outside, self.told.conflicts = False, 0
        assert self.runner.run(other.join(self.user(server="two"))), "read-only without need"
        other.type()
        self.runner.run(other.save())
        self.check_answers()
        self.runner.run(other.close())

    @precondition(lambda self: self.document.is_open)
    @rule(hours=HOURS)
    def hours_pass_in_which_one_token_refreshes(self, hours: int) -> None:
        for _ in range(6 * hours):
            self.pass_by(10)
            assert self.runner.run(self.document.refresh()), "the lock was lost without need"

    @precondition(lambda self: self.document.is_open and len(self.document.users) > 1)
    @rule(user=USERS, state=ENDS)
    def somebody_leaves_and_is_ended(self, user: int, state: SessionState) -> None:
        self.end(self.document.leave(user), state)

    @precondition(lambda self: self.document.is_open and not self.document.in_conflict)
    @rule(user=USERS)
    def somebody_types_and_it_is_saved(self, user: int) -> None:
        self.document.type(user)
        self.runner.run(self.document.save())
        self.check_answers()

    @precondition(lambda self: self.document.is_open)
    @rule()
    def the_document_is_closed(self) -> None:
        self.runner.run(self.document.close())
        self.check_answers()


class MicrosoftMachine(HostMachine[Microsoft]):
    """One Microsoft 365 with some users."""

    kind = EditorKind.M365

    def __init__(self) -> None:
        super().__init__()
        self.document = Microsoft(self.send, self.told)

    @rule()
    def a_user_joins(self) -> None:
        if not self.document.is_open:
            self.changed_outside, self.told.conflicts = False, 0
        assert self.runner.run(self.document.join(self.user())), "read-only without need"
        self.check_answers()

    @precondition(lambda self: self.document.is_open and not self.document.in_conflict)
    @rule(user=USERS)
    def somebody_types_and_it_is_saved(self, user: int) -> None:
        self.document.type()
        self.runner.run(self.document.save(user))
        self.check_answers()

    @precondition(lambda self: self.document.is_open)
    @rule(user=USERS)
    def the_lock_is_changed(self, user: int) -> None:
        self.runner.run(self.document.relock(user))
        assert self.runner.run(self.document.refresh(user)), "read-only without need"

    @precondition(lambda self: self.document.is_open)
    @rule(user=USERS)
    def the_document_is_closed(self, user: int) -> None:
        self.runner.run(self.document.close(user))
        self.check_answers()


QUICK = 12
"""Examples, the same each time; `make check` looks for others."""

MACHINES: dict[str, type[HostMachine[Any]]] = {
    "collabora": CollaboraMachine,
    "onlyoffice": OnlyOfficeMachine,
    "m365": MicrosoftMachine,
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("examples", [QUICK, pytest.param(50, marks=pytest.mark.check)])
@pytest.mark.parametrize("name", MACHINES)
def test_no_text_is_lost_whatever_happens(redis_url: str, name: str, examples: int) -> None:
    machine = MACHINES[name]
    machine.url = redis_url
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            derandomize=examples == QUICK,
        ),
    )
