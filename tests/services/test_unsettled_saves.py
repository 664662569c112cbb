"""A save that was received whole outlives an outage: head or recovery copy, and only once."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from genro_wopi.adapters.redis.client import RedisClient, connect, text
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.witness import RedisSelfWitness
from genro_wopi.adapters.unsettled_folder import UnsettledFolder
from genro_wopi.domain.sessions import SessionState
from genro_wopi.domain.storages import StorageFaultError
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.runtime.background import background_failed
from genro_wopi.wopi_service.app import create_app
from genro_wopi.wopi_service.operations.host import node_of
from genro_wopi.wopi_service.operations.unsettled import submit_until
from genro_wopi.wopi_service.service import WopiService
from tests.support.gate import Gate, gate_before
from tests.support.in_process import Wopi, client_of, wopi_in_process
from tests.support.waiting import eventually

PATIENCE = {"WOPI_PATIENCE_SECONDS": "1"}
LARGE = b"0123456789abcdef" * 40_000


class AwayOpener:
    """A storage that answers nothing while `is_away`."""

    def __init__(self, opener: Any) -> None:
        self._opener = opener
        self.is_away = False

    async def open(self, storage: Any) -> Any:
        return _Away(await self._opener.open(storage), self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opener, name)


class _Away:
    def __init__(self, inner: Any, opener: AwayOpener) -> None:
        self._inner, self._opener = inner, opener

    def node(self, path: Any) -> Any:
        return _Away(self._inner.node(path), self._opener)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if self._opener.is_away and callable(found):
            raise StorageFaultError("The storage is away.")
        return found


@dataclass
class Scene:
    """A service behind a gate to Redis, over a storage that may go away."""

    wopi: Wopi
    redis: RedisClient
    """Not through the gate."""
    gate: Gate
    storage: AwayOpener
    service: WopiService
    spool: Path

    async def ask(
        self, override: str, body: bytes = b"", *, ticks: int = 0, token: str = "", lock: str = "L"
    ) -> int:
        headers = {"X-WOPI-Override": override, "X-WOPI-Lock": lock}
        if ticks:
            headers["X-WOPI-TimeStamp"] = str(ticks)
        url = self.wopi.path + ("/contents" if override == "PUT" else "")
        query = {"access_token": token or self.wopi.token}
        answer = await self.wopi.http.post(url, params=query, headers=headers, content=body or None)
        return answer.status_code

    def away(self, what: str, *, is_away: bool = True) -> None:
        if what == "storage":
            self.storage.is_away = is_away
        elif is_away:
            self.gate.shut()
        else:
            self.gate.open()

    @property
    def kept(self) -> list[Path]:
        return sorted(self.spool.glob("unsettled-*.json"))

    @property
    def head(self) -> bytes:
        return (self.wopi.folder / "a.txt").read_bytes()

    async def copies(self) -> list[bytes]:
        """Return the recovery copies that are listed."""
        host, found = self.service.host, list[bytes]()
        record = await host.registry.record(self.wopi.session.file_id)
        assert record is not None
        node = await node_of(host, record)
        for rescue_id, _ in await host.rescues.list_ids(record.tenant_id, after="", limit=9):
            async with node.open_rescued(rescue_id) as chunks:
                found.append(b"".join([c async for c in chunks]))
        return found

    async def events(self) -> list[str]:
        entries = await self.redis.call(
            "XRANGE", FileKeys(self.wopi.session.file_id).events, "-", "+"
        )
        pairs = [list(map(text, fields)) for _, fields in entries]
        return [fields[fields.index("name") + 1] for fields in pairs]

    async def settled(self) -> None:
        """Submit what is kept until nothing is left."""
        stopping = asyncio.Event()
        submitting = asyncio.create_task(
            submit_until(self.service.unsettled, stopping, background_failed)
        )

        async def look() -> list[Path]:
            return self.kept

        try:
            await eventually(look, lambda kept: not kept, timeout_s=20)
        finally:
            stopping.set()
            await submitting


def through(url: str, port: int) -> str:
    return f"redis://127.0.0.1:{port}{urlsplit(url).path}"


@pytest.fixture
async def scene(redis: RedisClient, redis_url: str, tmp_path: Path) -> AsyncGenerator[Scene]:
    async with AsyncExitStack() as stack:
        gate = await stack.enter_async_context(gate_before(urlsplit(redis_url).port or 6379))
        url = through(redis_url, gate.port)
        client = await stack.enter_async_context(connect(url))
        wopi = await wopi_in_process(stack, client, url, tmp_path, **PATIENCE)
        storage = AwayOpener(wopi.service.host.storages)
        service = with_storage(wopi.service, storage)
        wopi.http = await stack.enter_async_context(client_of(create_app(service, client)))
        yield Scene(wopi, redis, gate, storage, service, tmp_path / "spool")
        gate.open()


def with_storage(service: WopiService, storage: Any) -> WopiService:
    host = msgspec.structs.replace(service.host, storages=storage)
    unsettled = msgspec.structs.replace(
        service.unsettled,
        host=msgspec.structs.replace(service.unsettled.host, storages=storage),
    )
    return msgspec.structs.replace(service, host=host, unsettled=unsettled)


@pytest.mark.parametrize("body", [b"typed", LARGE], ids=["in memory", "on disk"])
@pytest.mark.parametrize("what", ["redis", "storage"])
async def test_what_was_sent_once_during_an_outage_becomes_the_head(
    scene: Scene, what: str, body: bytes
) -> None:
    assert await scene.ask("LOCK", ticks=10) == 200
    scene.away(what)
    assert await scene.ask("PUT", body, ticks=20) == 503
    assert len(scene.kept) == 1
    assert b"access_token" not in scene.kept[0].read_bytes()
    scene.away(what, is_away=False)
    await scene.settled()
    assert scene.head == body
    assert await scene.copies() == []
    assert (await scene.events()).count("document_saved") == 1
    assert not list(scene.spool.glob("unsettled-*"))


@pytest.mark.parametrize("what", ["redis", "storage"])
async def test_what_may_not_become_the_head_any_more_becomes_a_recovery_copy(
    scene: Scene, what: str
) -> None:
    assert await scene.ask("LOCK", ticks=10) == 200
    scene.away(what)
    assert await scene.ask("PUT", b"typed", ticks=20) == 503
    scene.away(what, is_away=False)
    record = await scene.wopi.world.registry.record(scene.wopi.session.file_id)
    assert record is not None
    assert await scene.ask("UNLOCK", ticks=30) == 200
    ben = scene.wopi.token_of(await scene.wopi.world.session(record))
    assert await scene.ask("LOCK", token=ben, lock="ben's", ticks=40) == 200
    assert await scene.ask("PUT", b"ben", token=ben, lock="ben's", ticks=50) == 200
    await scene.settled()
    assert scene.head == b"ben"
    assert await scene.copies() == [b"typed"]
    assert (await scene.events()).count("save_rescued") == 1


@pytest.mark.parametrize("state", [SessionState.REVOKED, SessionState.CLOSED])
async def test_a_session_that_ended_meanwhile_loses_nothing(
    scene: Scene, state: SessionState
) -> None:
    assert await scene.ask("LOCK", ticks=10) == 200
    scene.away("storage")
    assert await scene.ask("PUT", b"typed", ticks=20) == 503
    await scene.wopi.world.sessions.end(scene.wopi.session.session_id, state)
    scene.away("storage", is_away=False)
    await scene.settled()
    assert b"typed" in [scene.head, *await scene.copies()]
    named = {"document_saved", "save_rescued"}
    assert sum(event in named for event in await scene.events()) == 1


@pytest.mark.parametrize("repeat", [b"typed", b"typed more"], ids=["same", "newer"])
@pytest.mark.parametrize("kind", [EditorKind.COLLABORA, EditorKind.GENERIC, EditorKind.M365])
async def test_a_repeat_of_the_editor_makes_it_void(
    scene: Scene, kind: EditorKind, repeat: bytes
) -> None:
    record = await scene.wopi.world.registry.record(scene.wopi.session.file_id)
    assert record is not None
    token = scene.wopi.token_of(await scene.wopi.world.session(record, kind=kind))
    assert await scene.ask("LOCK", token=token, ticks=10) == 200
    scene.away("storage")
    assert await scene.ask("PUT", b"typed", token=token, ticks=20) == 503
    scene.away("storage", is_away=False)
    assert await scene.ask("PUT", repeat, token=token, ticks=30) == 200
    await scene.settled()
    assert scene.head == repeat
    assert await scene.copies() == []
    assert (await scene.events()).count("document_saved") == 1


async def test_each_repeat_that_fails_too_replaces_the_one_before(scene: Scene) -> None:
    assert await scene.ask("LOCK", ticks=10) == 200
    scene.away("storage")
    for number in range(3):
        assert await scene.ask("PUT", b"typed %d" % number, ticks=20 + number) == 503
        assert len(scene.kept) == 1
    scene.away("storage", is_away=False)
    await scene.settled()
    assert scene.head == b"typed 2"
    assert await scene.copies() == []


async def test_it_survives_the_process_and_is_taken_over_by_the_next_one(scene: Scene) -> None:
    assert await scene.ask("LOCK", ticks=10) == 200
    scene.away("redis")
    assert await scene.ask("PUT", LARGE, ticks=20) == 503
    scene.service.spool.remove_leftovers()
    folder: Any = scene.service.unsettled.saves
    folder.close()  # The kernel does it for a process that dies.
    scene.away("redis", is_away=False)
    assert len(scene.kept) == 1
    assert len(await folder.waiting()) == 1, "found on the disk alone"
    await scene.settled()
    assert scene.head == LARGE


async def test_the_doctor_is_told_of_what_waits(scene: Scene) -> None:
    scene.away("storage")
    assert await scene.ask("PUT", b"typed", ticks=20) == 503
    stopping = asyncio.Event()
    submitting = asyncio.create_task(
        submit_until(scene.service.unsettled, stopping, background_failed)
    )

    async def told() -> int:
        return (await RedisSelfWitness(scene.redis).facts()).unsettled_saves

    assert await eventually(told, lambda count: count == 1) == 1
    scene.away("storage", is_away=False)
    await eventually(told, lambda count: count == 0)
    stopping.set()
    await submitting


async def test_a_living_process_keeps_what_is_its_own(scene: Scene) -> None:
    assert await scene.ask("LOCK", ticks=10) == 200
    scene.away("storage")
    assert await scene.ask("PUT", b"typed", ticks=20) == 503
    other = UnsettledFolder(scene.spool, size_bytes_max=2**20)
    assert await other.waiting() == []
    assert len(await scene.service.unsettled.saves.waiting()) == 1


async def test_what_may_be_kept_is_bounded(scene: Scene) -> None:
    folder = UnsettledFolder(scene.spool, size_bytes_max=10)
    unsettled = msgspec.structs.replace(scene.service.unsettled, saves=folder)
    scene.service = msgspec.structs.replace(scene.service, unsettled=unsettled)
    scene.wopi.http = client_of(create_app(scene.service, scene.redis))
    assert await scene.ask("LOCK", ticks=10) == 200
    scene.away("storage")
    assert await scene.ask("PUT", b"123456", ticks=20) == 503, "more than a tenant's half"
    assert scene.kept == []
    assert await scene.ask("PUT", b"12345", ticks=21) == 503
    assert len(scene.kept) == 1
    await scene.wopi.http.aclose()
    folder.close()


async def test_where_only_redis_is_away_the_bytes_lie_in_the_storage(scene: Scene) -> None:
    assert await scene.ask("LOCK", ticks=10) == 200

    ledger: Any = scene.service.host.ledger
    begin = ledger.begin

    async def begin_late(save: Any, *, deadline_s: float) -> Any:
        scene.gate.shut()  # Right after the save was let in.
        return await begin(save, deadline_s=deadline_s)

    ledger.begin = begin_late
    assert await scene.ask("PUT", b"typed", ticks=20) == 503
    ledger.begin = begin
    note = json.loads(scene.kept[0].read_bytes())
    assert note["in_storage"]
    copy = scene.wopi.folder / ".genro-wopi" / "recovery" / note["save_id"]
    assert copy.read_bytes() == b"typed"
    assert not list(scene.spool.glob("unsettled-*.body"))
    scene.gate.open()
    await scene.settled()
    assert scene.head == b"typed"
    assert not copy.exists()
    assert (await scene.events()).count("document_saved") == 1


async def test_without_the_right_to_save_it_becomes_a_recovery_copy(scene: Scene) -> None:
    record = await scene.wopi.world.registry.record(scene.wopi.session.file_id)
    assert record is not None
    reader = scene.wopi.token_of(await scene.wopi.world.session(record, edit=False))
    scene.gate.shut()
    assert await scene.ask("PUT", b"nobody's", token="nonsense") == 401
    assert scene.kept == []
    assert await scene.ask("PUT", b"typed", token=reader) == 503
    scene.gate.open()
    await scene.settled()
    assert scene.head == b"hello"
    assert await scene.copies() == [b"typed"]


@pytest.mark.parametrize("what", ["redis", "storage"])
async def test_what_an_editor_asks_after_a_503_is_waited_for(scene: Scene, what: str) -> None:
    async def come_back() -> None:
        await asyncio.sleep(0.4)
        scene.away(what, is_away=False)

    scene.away(what)
    back = asyncio.create_task(come_back())
    answer = await scene.wopi.http.get(scene.wopi.path, params={"access_token": scene.wopi.token})
    await back
    assert answer.status_code == 200


@pytest.mark.parametrize("override", ["LOCK", "REFRESH_LOCK", "UNLOCK"])
async def test_a_lock_is_waited_for(scene: Scene, override: str) -> None:
    assert await scene.ask("LOCK", ticks=10) == 200

    async def come_back() -> None:
        await asyncio.sleep(0.4)
        scene.gate.open()

    scene.gate.shut()
    back = asyncio.create_task(come_back())
    assert await scene.ask(override, ticks=20) == 200
    await back


async def test_the_lock_that_a_submission_takes_again_ends_soon(scene: Scene) -> None:
    assert await scene.ask("LOCK", ticks=10) == 200
    assert await scene.ask("PUT", b"first", ticks=20) == 200
    scene.away("storage")
    assert await scene.ask("PUT", b"typed", ticks=30) == 503
    await scene.redis.call("DEL", FileKeys(scene.wopi.session.file_id).lock)
    scene.away("storage", is_away=False)
    await scene.settled()
    assert scene.head == b"typed"
    left_ms = await scene.redis.call("PTTL", FileKeys(scene.wopi.session.file_id).lock)
    assert int(left_ms) <= 60_000
