"""A save whose process died after its commit is published by another process, once."""

import asyncio
import time

import pytest

from genro_wopi.adapters.redis import intent_store
from genro_wopi.adapters.redis.intent_store import RedisIntentStore
from genro_wopi.domain.commit import Commit
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.identifiers import new_save_id
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.saves import Save, Saved
from genro_wopi.protocol.lock_id import LockId
from genro_wopi.wopi_service.operations.host import node_of
from genro_wopi.wopi_service.operations.reconcile import reconcile_until
from tests.support.failing import unreported
from tests.support.in_process import Wopi
from tests.support.waiting import eventually
from tests.support.world import partitions


async def commit(wopi: Wopi, content: bytes, monkeypatch: pytest.MonkeyPatch | None) -> str:
    """Save; with a patch the process "dies" before it publishes."""
    host, session = wopi.service.host, wopi.session
    record = await host.registry.record(session.file_id)
    assert record is not None
    save = Save(
        save_id=new_save_id(),
        file_id=session.file_id,
        session_id=session.session_id,
        session_created_us=session.created_us,
        holder="Anna",
        lock_id=LockId("L"),
        timestamp=None,
        attempt=0,
        one_process_per_document=False,
        is_autosave=False,
        is_exit_save=False,
        is_modified_by_user=None,
        editors=(),
    )
    if monkeypatch is not None:

        async def dead(_save: Save, _saved: Saved) -> None:
            raise UnavailableError("dead")

        monkeypatch.setattr(host.ledger, "publish", dead)
    commit = Commit(host.ledger, await node_of(host, record), host.clock)
    saved = await commit.put_file(save, MemoryBody(content), deadline_s=time.monotonic() + 5)
    if monkeypatch is not None:
        monkeypatch.undo()
    return saved.head.version


async def saves(wopi: Wopi) -> list[dict[bytes, bytes]]:
    partition = wopi.session.session_id[:2]
    stream = await wopi.redis.call("XRANGE", f"wopi:{{{partition}}}:events", "-", "+")
    events = [dict(zip(e[1][::2], e[1][1::2], strict=True)) for e in stream]
    return [e for e in events if e[b"name"] == b"document_saved"]


async def announced(wopi: Wopi) -> list[str]:
    return [e[b"version"].decode() for e in await saves(wopi)]


async def test_unpublished_saves_are_announced_once(
    wopi: Wopi, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = {"access_token": wopi.token}
    headers = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "L"}
    await wopi.http.post(wopi.path, params=params, headers=headers)
    replaced = await commit(wopi, b"one", monkeypatch)
    published = await commit(wopi, b"two", None)
    newest = await commit(wopi, b"three", monkeypatch)
    assert await announced(wopi) == [published]
    monkeypatch.setattr(intent_store, "SETTLED_AGE_S", 0)
    intents = RedisIntentStore(wopi.redis, partitions(wopi.redis))
    stopping = asyncio.Event()
    sweeps = [
        asyncio.create_task(reconcile_until(wopi.service.host, intents, stopping, unreported))
        for _ in range(3)
    ]
    await eventually(lambda: announced(wopi), lambda seen: len(seen) == 3)
    stopping.set()
    await asyncio.gather(*sweeps)
    assert set(await announced(wopi)) == {replaced, published, newest}
    record = await wopi.service.host.registry.record(wopi.session.file_id)
    assert record is not None
    assert record.head is not None
    assert record.head.version == newest


async def test_a_save_that_never_arrived_is_forgotten_without_a_word(wopi: Wopi) -> None:
    intents = RedisIntentStore(wopi.redis, partitions(wopi.redis))
    partition = wopi.session.session_id[:2]
    member = f"{new_save_id()} {wopi.session.file_id}"
    await wopi.redis.call("ZADD", f"wopi:{{{partition}}}:intents", 1, member)
    stopping = asyncio.Event()
    sweep = asyncio.create_task(reconcile_until(wopi.service.host, intents, stopping, unreported))
    await eventually(lambda: intents.overdue(limit=10), lambda seen: seen == [])
    stopping.set()
    await sweep
    assert await announced(wopi) == []


async def test_what_was_overwritten_by_choice_is_announced_as_such(
    wopi: Wopi, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = {"access_token": wopi.token}
    headers = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "L"}
    await wopi.http.post(wopi.path, params=params, headers=headers)
    (wopi.folder / "draft").write_bytes(b"another program's")
    (wopi.folder / "draft").replace(wopi.folder / "a.txt")
    await commit(wopi, b"mine counts", monkeypatch)
    monkeypatch.setattr(intent_store, "SETTLED_AGE_S", 0)
    stopping = asyncio.Event()
    intents = RedisIntentStore(wopi.redis, partitions(wopi.redis))
    sweep = asyncio.create_task(reconcile_until(wopi.service.host, intents, stopping, unreported))
    found = await eventually(lambda: saves(wopi), lambda seen: len(seen) == 1)
    stopping.set()
    await sweep
    assert found[0][b"forced"] == b"true"
