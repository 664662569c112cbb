"""A save that is submitted late never takes the place of what came after it."""

import pytest

from genro_wopi.protocol.check_file_info import EditorKind
from tests.support.outage_scene import Scene

AWAY = pytest.mark.parametrize("what", ["redis", "storage"])


async def is_a_copy(scene: Scene, typed: bytes, *, head: bytes) -> None:
    assert scene.head == head
    assert await scene.copies() == [typed]
    assert (await scene.events()).count("save_rescued") == 1


@AWAY
async def test_who_loads_the_document_anew_has_not_the_text_that_waits(
    scene: Scene, what: str
) -> None:
    token = await scene.someone()
    assert await scene.reads(token) == b"hello"
    assert await scene.ask("LOCK", token=token, ticks=10) == 200
    scene.away(what)
    assert await scene.ask("PUT", b"typed", token=token, ticks=20) == 503
    scene.away(what, is_away=False)
    assert await scene.reads(token) == b"hello", "the page was loaded again"
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
