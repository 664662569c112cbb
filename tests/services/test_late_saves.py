"""A save that arrives a second time, late, replaces nothing that was stored since."""

import json

import httpx
import pytest

from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.protocol.check_file_info import EditorKind
from tests.support.in_process import Wopi

LOCK = {"X-WOPI-Lock": "L"}
TICKS = 638_995_104_000_000_001
"""A moment of these years: such numbers are not all to be told apart as floating point."""


async def ask(wopi: Wopi, token: str, override: str, body: bytes = b"", ticks: int = 0) -> int:
    return (await answer_to(wopi, token, override, body, ticks)).status_code


async def answer_to(
    wopi: Wopi, token: str, override: str, body: bytes = b"", ticks: int = 0
) -> httpx.Response:
    headers = {"X-WOPI-Override": override, **LOCK}
    if ticks:
        headers["X-WOPI-TimeStamp"] = str(ticks)
    url = wopi.path + ("/contents" if override == "PUT" else "")
    query = {"access_token": token}
    return await wopi.http.post(url, params=query, headers=headers, content=body or None)


@pytest.mark.parametrize("unlocks", [False, True], ids=["locked", "released"])
@pytest.mark.parametrize("kind", [EditorKind.M365, EditorKind.GENERIC, EditorKind.COLLABORA])
async def test_a_late_copy_does_not_replace_what_another_person_saved(
    wopi: Wopi, kind: EditorKind, unlocks: bool
) -> None:
    record = await wopi.world.registry.record(wopi.session.file_id)
    assert record is not None
    anna, ben = [wopi.token_of(await wopi.world.session(record, kind=kind)) for _ in range(2)]
    assert await ask(wopi, anna, "LOCK", ticks=10) == 200
    assert await ask(wopi, anna, "PUT", b"anna", ticks=20) == 200
    assert await ask(wopi, ben, "PUT", b"anna and ben", ticks=30) == 200
    if unlocks:
        assert await ask(wopi, ben, "UNLOCK", ticks=40) == 200
    late = await answer_to(wopi, anna, "PUT", b"anna", ticks=20)
    assert late.status_code == 409
    assert "newer save of the same session" in late.headers["X-WOPI-LockFailureReason"]
    assert (wopi.folder / "a.txt").read_bytes() == b"anna and ben"
    rescued = await wopi.service.host.rescues.list_ids(wopi.session.tenant_id, after="", limit=9)
    assert len(rescued) == 1


async def test_a_repeat_of_the_newest_save_is_answered_as_the_first(wopi: Wopi) -> None:
    assert await ask(wopi, wopi.token, "LOCK", ticks=10) == 200
    versions = set[str]()
    for _ in range(2):
        answer = await answer_to(wopi, wopi.token, "PUT", b"text", ticks=20)
        assert answer.status_code == 200
        versions.add(answer.headers["X-WOPI-ItemVersion"])
    assert len(versions) == 1, "stored once"
    assert await ask(wopi, wopi.token, "PUT", json.dumps("more").encode(), ticks=21) == 200


@pytest.mark.parametrize(("ticks", "status"), [(TICKS - 1, 409), (TICKS, 200), (TICKS + 1, 200)])
async def test_what_was_sent_before_the_lock_was_taken_is_late_to_the_tick(
    wopi: Wopi, ticks: int, status: int
) -> None:
    assert await ask(wopi, wopi.token, "LOCK", ticks=TICKS) == 200
    assert await ask(wopi, wopi.token, "PUT", b"text", ticks=ticks) == status


@pytest.mark.parametrize("kind", [EditorKind.M365, EditorKind.ONLYOFFICE, EditorKind.GENERIC])
async def test_a_lock_that_vanished_is_not_believed_over_a_change_of_somebody_else(
    wopi: Wopi, kind: EditorKind
) -> None:
    record = await wopi.world.registry.record(wopi.session.file_id)
    assert record is not None
    anna = wopi.token_of(await wopi.world.session(record, kind=kind))
    assert await ask(wopi, anna, "LOCK", ticks=10) == 200
    assert await ask(wopi, anna, "PUT", b"anna", ticks=20) == 200
    await wopi.redis.call("DEL", FileKeys(record.file_id).lock)
    (wopi.folder / "draft").write_bytes(b"another program's")
    (wopi.folder / "draft").replace(wopi.folder / "a.txt")
    assert await ask(wopi, anna, "PUT", b"anna again", ticks=30) == 409
    assert (wopi.folder / "a.txt").read_bytes() == b"another program's"


async def test_without_a_lock_nothing_is_replaced(wopi: Wopi) -> None:
    assert await ask(wopi, wopi.token, "LOCK", ticks=10) == 200
    assert await ask(wopi, wopi.token, "PUT", b"text", ticks=20) == 200
    await wopi.redis.call("DEL", FileKeys(wopi.session.file_id).lock)
    answer = await wopi.http.post(
        f"{wopi.path}/contents",
        params={"access_token": wopi.token},
        headers={"X-WOPI-Override": "PUT", "X-WOPI-TimeStamp": "30"},
        content=b"without",
    )
    assert answer.status_code == 409
    assert (wopi.folder / "a.txt").read_bytes() == b"text"
