"""A save that is submitted late never takes the place of what came after it."""

from typing import Any

import pytest

from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.wopi_service.operations.unsettled import submit
from tests.support.outage_scene import Scene

AWAY = pytest.mark.parametrize("what", ["redis", "storage"])


async def is_a_copy(scene: Scene, typed: bytes, *, head: bytes) -> None:
    assert scene.head == head
    assert await scene.copies() == [typed]
    assert (await scene.events()).count("save_rescued") == 1


@AWAY
@pytest.mark.parametrize("by", ["the person", "another person"])
async def test_who_loads_the_document_anew_has_not_the_text_that_waits(
    scene: Scene, what: str, by: str
) -> None:
    token, other = await scene.someone(), await scene.someone()
    assert await scene.reads(token) == b"hello"
    assert await scene.ask("LOCK", token=token, ticks=10) == 200
    scene.away(what)
    assert await scene.ask("PUT", b"typed", token=token, ticks=20) == 503
    scene.away(what, is_away=False)
    loads = token if by == "the person" else other  # One loads for all.
    assert await scene.reads(loads) == b"hello", "the page was loaded again"
    assert await scene.ask("LOCK", token=token, ticks=30) == 200
    assert await scene.ask("PUT", b"begun anew", token=token, ticks=40) == 200
    await scene.settled()
    await is_a_copy(scene, b"typed", head=b"begun anew")


@AWAY
@pytest.mark.parametrize("by", ["a later lease", "another session", "another program"])
async def test_an_editor_that_tells_no_times_replaces_nothing_newer(
    scene: Scene, what: str, by: str
) -> None:
    anna, ben = await scene.someone(), await scene.someone()
    assert await scene.ask("LOCK", token=anna) == 200
    assert await scene.ask("PUT", b"before", token=anna) == 200
    scene.away(what)
    assert await scene.ask("PUT", b"typed", token=anna) == 503
    scene.away(what, is_away=False)
    if by == "a later lease":
        assert await scene.ask("UNLOCK", token=anna) == 200
        assert await scene.reads(anna) == b"before"
        assert await scene.ask("LOCK", token=anna) == 200
    if by == "another program":
        scene.write_outside(b"newer")
    else:
        token = ben if by == "another session" else anna
        assert await scene.ask("PUT", b"newer", token=token) == 200
    await scene.settled()
    await is_a_copy(scene, b"typed", head=b"newer")


@AWAY
async def test_where_nothing_came_after_it_it_becomes_the_head(scene: Scene, what: str) -> None:
    anna = await scene.someone(EditorKind.M365)
    assert await scene.ask("LOCK", token=anna) == 200
    assert await scene.ask("PUT", b"before", token=anna) == 200
    scene.away(what)
    assert await scene.ask("PUT", b"typed", token=anna) == 503
    scene.away(what, is_away=False)
    await scene.settled()
    assert scene.head == b"typed"
    assert await scene.copies() == []


@pytest.mark.parametrize("kind", [EditorKind.COLLABORA, EditorKind.GENERIC])
async def test_of_two_that_wait_the_later_one_counts_whenever_the_first_is_submitted(
    scene: Scene, kind: EditorKind
) -> None:
    anna = await scene.someone(kind)
    assert await scene.ask("LOCK", token=anna) == 200
    ledger: Any = scene.service.host.ledger
    begin = ledger.begin

    async def begin_late(save: Any, *, deadline_s: float) -> Any:
        scene.gate.shut()  # Right after the save was let in: its bytes go to the storage.
        return await begin(save, deadline_s=deadline_s)

    ledger.begin = begin_late
    assert await scene.ask("PUT", b"typed", token=anna) == 503
    ledger.begin = begin
    assert await scene.ask("PUT", b"typed more", token=anna) == 503
    assert len(scene.kept) == 2
    scene.gate.open()
    for save in await scene.service.unsettled.saves.waiting():
        assert await submit(scene.service.unsettled, save)
    assert b"typed more" in [scene.head, *await scene.copies()]


@pytest.mark.parametrize("ticks", [0, 40], ids=["tells no times", "tells times"])
@pytest.mark.parametrize("stamped", [True, False], ids=["stamped", "not stamped"])
async def test_who_loaded_before_the_submission_does_not_replace_it_unasked(
    scene: Scene, stamped: bool, ticks: int
) -> None:
    anna = await scene.someone()
    opened = await scene.stamp(anna)
    assert await scene.reads(anna) == b"hello"
    assert await scene.ask("LOCK", token=anna, ticks=ticks and 10) == 200
    scene.away("storage")
    assert await scene.ask("PUT", b"typed", token=anna, ticks=ticks and 20, stamp=opened) == 503
    scene.away("storage", is_away=False)
    assert await scene.reads(anna) == b"hello", "the page was loaded again"
    assert await scene.ask("LOCK", token=anna, ticks=ticks and 30) == 200
    await scene.settled()
    assert scene.head == b"typed"
    stamp = opened if stamped else ""
    status = await scene.ask("PUT", b"begun anew", token=anna, ticks=ticks, stamp=stamp)
    if stamped:
        assert status == 409
        await is_a_copy(scene, b"begun anew", head=b"typed")
    else:
        saved = [e["forced"] for e in await scene.told() if e["name"] == "document_saved"]
        assert (status, saved) == (200, ["false", "true"]), "as whoever overwrites by choice"


async def test_who_goes_on_after_a_submission_is_in_no_conflict(scene: Scene) -> None:
    anna = await scene.someone()
    opened = await scene.stamp(anna)
    assert await scene.reads(anna) == b"hello"
    assert await scene.ask("LOCK", token=anna, ticks=10) == 200
    scene.away("storage")
    assert await scene.ask("PUT", b"typed", token=anna, ticks=20, stamp=opened) == 503
    scene.away("storage", is_away=False)
    await scene.settled()
    assert await scene.ask("PUT", b"typed more", token=anna, ticks=30, stamp=opened) == 200
    assert scene.head == b"typed more"
    assert await scene.copies() == []


async def test_who_loads_anew_between_two_outages_replaces_nothing_that_waits(scene: Scene) -> None:
    anna = await scene.someone(EditorKind.ONLYOFFICE)
    for body in (b"typed", b"begun anew"):
        assert await scene.reads(anna) == b"hello"
        assert await scene.ask("LOCK", token=anna) == 200
        scene.away("redis")
        assert await scene.ask("PUT", body, token=anna) == 503
        scene.away("redis", is_away=False)
    await scene.settled()
    assert {scene.head, *await scene.copies()} == {b"typed", b"begun anew"}
