"""A save that was received whole outlives an outage: head or recovery copy, and only once."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.witness import RedisSelfWitness
from genro_wopi.adapters.unsettled_folder import UnsettledFolder
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.sessions import SessionState
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.runtime.background import background_failed
from genro_wopi.wopi_service.app import create_app
from genro_wopi.wopi_service.operations.unsettled import submit_until
from tests.support.in_process import client_of
from tests.support.outage_scene import Scene
from tests.support.waiting import eventually

LARGE = b"0123456789abcdef" * 40_000


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


@pytest.mark.parametrize("kind", [EditorKind.COLLABORA, EditorKind.M365])
async def test_each_repeat_that_fails_too_replaces_the_one_before(
    scene: Scene, kind: EditorKind
) -> None:
    token = await scene.someone(kind)
    assert await scene.ask("LOCK", ticks=10, token=token) == 200
    scene.away("storage")
    for number in range(3):
        body = b"typed %d" % number
        assert await scene.ask("PUT", body, ticks=20 + number, token=token) == 503
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
    assert await scene.ask("PUT", b"54321", ticks=22) == 503
    assert len(scene.kept) == 1, "what the same editor sent before gives way"
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


@pytest.mark.parametrize("refused", ["revoked", "in conflict"])
async def test_a_copy_whose_announcement_failed_is_announced_later(
    scene: Scene, refused: str
) -> None:
    anna, ben = await scene.someone(), await scene.someone()
    assert await scene.ask("LOCK", token=ben, lock="ben's") == 200
    if refused == "revoked":
        claims = scene.service.host.tokens.verify(anna)
        await scene.wopi.world.sessions.end(claims.session_id, SessionState.REVOKED)
    ledger: Any = scene.service.host.ledger
    announce = ledger.announce_rescue

    async def fails(_rescue: Any) -> None:
        raise UnavailableError("Redis is away.")

    ledger.announce_rescue = fails
    assert await scene.ask("PUT", b"typed", token=anna) == 503
    ledger.announce_rescue = announce
    await scene.settled()
    assert await scene.copies() == [b"typed"]
    assert (await scene.events()).count("save_rescued") == 1
