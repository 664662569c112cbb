"""What one editor's server sends for all its people, as OnlyOffice and Collabora were recorded."""

import json
from typing import Any

import msgspec
import pytest

from genro_wopi.adapters.redis.event_queue import RedisEventQueue
from genro_wopi.domain.events import Event
from genro_wopi.domain.sessions import EditorRef, Session, editor_digest
from genro_wopi.protocol.check_file_info import EditorKind
from tests.services.test_refused_saves import copies, file_of
from tests.support.in_process import Wopi
from tests.support.world import partitions

ONE, TWO = (editor_digest(EditorRef("", "office", EditorKind.ONLYOFFICE), n) for n in ("a", "b"))


class Server:
    """One OnlyOffice server: a constant lock, a token for each person, LOOL headers."""

    def __init__(self, wopi: Wopi, address: str) -> None:
        self.wopi, self.address = wopi, address
        self.lock, self.ticks = str(wopi.session.file_id), 10

    async def lets_in(self, *, edit: bool = True, reads: bool = False) -> str:
        """Return the token of a person who opens the document here."""
        session = await self.wopi.world.session(
            await file_of(self.wopi), edit=edit, kind=EditorKind.ONLYOFFICE
        )
        token = self.token_of(session)
        await self.stamp(token)
        assert not edit or await self.asks(token, "LOCK") == 200
        if reads:
            await self.reads(token)
        return token

    def token_of(self, session: Session) -> str:
        claims = self.wopi.claims_of(session)
        claims = msgspec.structs.replace(claims, address=self.address, editor_kind="onlyoffice")
        return self.wopi.signer.sign(claims).reveal()

    async def reads(self, token: str) -> bytes:
        query = {"access_token": token}
        return (await self.wopi.http.get(f"{self.wopi.path}/contents", params=query)).content

    async def stamp(self, token: str) -> str:
        query = {"access_token": token}
        answer = await self.wopi.http.get(self.wopi.path, params=query)
        return str(answer.json()["LastModifiedTime"])

    async def asks(self, token: str, override: str, body: bytes = b"", **headers: str) -> int:
        self.ticks += 10
        url = self.wopi.path + ("/contents" if override == "PUT" else "")
        sent = {"X-WOPI-Override": override, "X-WOPI-TimeStamp": str(self.ticks)}
        if self.lock:
            sent["X-WOPI-Lock"] = self.lock
        answer = await self.wopi.http.post(
            url,
            params={"access_token": token},
            headers={**sent, **{k.replace("_", "-"): v for k, v in headers.items()}},
            content=body or None,
        )
        return answer.status_code

    async def saves(self, token: str, body: bytes, stamp: str, **headers: str) -> int:
        modified = headers or {"X_LOOL_WOPI_IsModifiedByUser": "true"}
        return await self.asks(token, "PUT", body, X_LOOL_WOPI_Timestamp=stamp, **modified)


async def events(wopi: Wopi) -> list[Event]:
    queue = RedisEventQueue(wopi.redis, wopi.redis, partitions(wopi.redis))
    found: list[Event] = []
    while taken := await queue.take(limit=50):
        for delivery in taken:
            found.append(delivery.event)
            await queue.delivered(delivery)
    return found


async def saved(wopi: Wopi) -> list[dict[str, Any]]:
    return [e.details for e in await events(wopi) if e.name == "document_saved"]


async def versions(wopi: Wopi) -> int:
    node = (
        await (
            await wopi.service.host.storages.open(
                await wopi.service.host.directory.storage(wopi.session.tenant_id, "docs")
            )
        )
        .node((await file_of(wopi)).path)
        .versions(limit=100)
    )
    return len(node)


async def test_whose_answer_was_lost_does_not_put_the_others_in_conflict(wopi: Wopi) -> None:
    server = Server(wopi, ONE)
    anna, ben = await server.lets_in(reads=True), await server.lets_in()
    opened = await server.stamp(anna)
    assert await server.saves(anna, b"anna", opened) == 200
    assert await server.saves(ben, b"anna and ben", opened) == 200, "the first answer was lost"
    assert await copies(wopi) == []
    assert [s["forced"] for s in await saved(wopi)] == ["false", "false"]


@pytest.mark.parametrize("changes", ["another server", "the lease broke", "not known which"])
async def test_it_stays_a_conflict_where_it_may_be_another_editor(wopi: Wopi, changes: str) -> None:
    server = Server(wopi, "" if changes == "not known which" else ONE)
    anna, ben = await server.lets_in(reads=True), await server.lets_in()
    opened = await server.stamp(anna)
    assert await server.saves(anna, b"anna", opened) == 200
    if changes == "the lease broke":
        assert await server.asks(anna, "UNLOCK") == 200
        assert await server.asks(ben, "LOCK") == 200
    if changes == "another server":
        two = Server(wopi, TWO)
        two.ticks = 1000
        ben = two.token_of(await wopi.world.session(await file_of(wopi)))
    assert await server.saves(ben, b"anna and ben", opened) == 409
    assert [body for _, body in await copies(wopi)] == [b"anna and ben"]


async def test_an_older_save_of_the_same_server_replaces_no_newer_one(wopi: Wopi) -> None:
    server = Server(wopi, ONE)
    anna, ben = await server.lets_in(reads=True), await server.lets_in()
    opened = await server.stamp(anna)
    assert await server.saves(anna, b"newer", opened) == 200
    server.ticks -= 15
    assert await server.saves(ben, b"older", opened) == 409
    assert (wopi.folder / "a.txt").read_bytes() == b"newer"


async def test_two_servers_do_not_share_a_lock(wopi: Wopi) -> None:
    one, two = Server(wopi, ONE), Server(wopi, TWO)
    anna = await one.lets_in(reads=True)
    stamp = await one.stamp(anna)
    session = await wopi.world.session(await file_of(wopi), kind=EditorKind.ONLYOFFICE)
    ben = two.token_of(session)
    for override in ("LOCK", "REFRESH_LOCK", "UNLOCK"):
        assert await two.asks(ben, override) == 409
    assert await two.saves(ben, b"in vain", stamp) == 409
    assert await one.saves(anna, b"anna", stamp) == 200
    assert await one.asks(anna, "UNLOCK") == 200
    assert await two.asks(ben, "LOCK") == 200
    assert [body for _, body in await copies(wopi)] == [b"in vain"]


async def outside(wopi: Wopi, body: bytes) -> None:
    draft = wopi.folder / "draft"
    draft.write_bytes(body)
    draft.replace(wopi.folder / "a.txt")


async def test_text_that_was_kept_over_a_head_never_seen_is_forced(wopi: Wopi) -> None:
    server = Server(wopi, ONE)
    anna = await server.lets_in(reads=True)
    assert await server.asks(anna, "UNLOCK") == 200
    await outside(wopi, b"written meanwhile")
    ben = await server.lets_in()
    await wopi.redis.call("HSET", "wopi:{x}:unused", "a", "b")
    await wopi.redis.call("DEL", "wopi:{x}:unused")
    status = await server.saves(ben, b"from the cache", await server.stamp(ben))
    kept = await versions(wopi)
    if status == 200:
        assert [s["forced"] for s in await saved(wopi)] == ["true"]
        assert kept >= 1
    else:
        assert [body for _, body in await copies(wopi)] == [b"from the cache"]


async def test_what_this_server_read_or_wrote_before_is_not_forced(wopi: Wopi) -> None:
    server = Server(wopi, ONE)
    anna = await server.lets_in(reads=True)
    assert await server.saves(anna, b"anna", await server.stamp(anna)) == 200
    assert await server.asks(anna, "UNLOCK") == 200
    ben = await server.lets_in()
    assert await server.saves(ben, b"anna and ben", await server.stamp(ben)) == 200
    assert [s["forced"] for s in await saved(wopi)] == ["false", "false"]


async def test_what_a_reader_was_shown_is_not_what_is_edited(wopi: Wopi) -> None:
    server = Server(wopi, ONE)
    reader = await server.lets_in(edit=False, reads=True)
    assert reader
    anna = await server.lets_in()
    assert await server.saves(anna, b"from the cache", await server.stamp(anna)) == 200
    assert [s["forced"] for s in await saved(wopi)] == ["true"]


async def test_the_exit_after_a_save_tells_nobody_anything(wopi: Wopi) -> None:
    server = Server(wopi, ONE)
    anna = await server.lets_in(reads=True)
    assert await server.saves(anna, b"anna", await server.stamp(anna)) == 200
    kept = await versions(wopi)
    leaves = {"X_LOOL_WOPI_IsExitSave": "true"}
    assert await server.saves(anna, b"anna", await server.stamp(anna), **leaves) == 200
    assert len(await saved(wopi)) == 1
    assert await versions(wopi) == kept
    assert await server.saves(anna, b"more", await server.stamp(anna), **leaves) == 200
    assert len(await saved(wopi)) == 1, "other bytes are told like any"


async def empty(wopi: Wopi) -> None:
    await outside(wopi, b"")


async def test_two_who_open_a_file_of_no_bytes_rescue_no_template(wopi: Wopi) -> None:
    await empty(wopi)
    server = Server(wopi, ONE)
    tokens = [
        server.token_of(await wopi.world.session(await file_of(wopi), kind=EditorKind.ONLYOFFICE))
        for _ in range(3)
    ]
    lock, server.lock = server.lock, ""
    for token in tokens[:2]:
        await server.stamp(token)
        assert await server.asks(token, "PUT", b"template") == 200
    server.lock = lock
    assert await server.asks(tokens[0], "LOCK") == 200
    assert await server.saves(tokens[0], b"typed", await server.stamp(tokens[0])) == 200
    server.lock = ""
    assert await server.asks(tokens[2], "PUT", b"template") == 409
    assert await copies(wopi) == []
    assert await server.asks(tokens[2], "PUT", b"typed without a lock") == 409
    assert [body for _, body in await copies(wopi)] == [b"typed without a lock"]
    assert len(await saved(wopi)) == 2


async def test_people_of_one_server_open_and_say_so_once(wopi: Wopi) -> None:
    server = Server(wopi, ONE)
    await server.lets_in(reads=True)
    await server.lets_in()
    await server.lets_in(edit=False)
    opened = [e.context.session_id for e in await events(wopi) if e.name == "document_opened"]
    assert len(opened) == len(set(opened)) == 2


async def test_the_answer_tells_how_long_names_may_be(wopi: Wopi) -> None:
    session = await wopi.world.session(await file_of(wopi), kind=EditorKind.ONLYOFFICE)
    query = {"access_token": wopi.token_of(session)}
    info = json.loads((await wopi.http.get(wopi.path, params=query)).content)
    assert info["FileNameMaxLength"] == 251
