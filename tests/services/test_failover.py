"""What a failover of Redis forgot is not lost: it stands beside the bytes."""

import asyncio

import pytest

from genro_wopi.adapters.redis import intent_store
from genro_wopi.adapters.redis.intent_store import RedisIntentStore
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.wopi_service.operations.reconcile import reconcile_until
from tests.services.test_reconcile import announced, commit
from tests.support.failing import unreported
from tests.support.in_process import Wopi
from tests.support.waiting import eventually
from tests.support.world import partitions

LOCK = {"X-WOPI-Lock": "a-random-lock"}


async def everything(wopi: Wopi) -> dict[bytes, tuple[int, bytes]]:
    """Return what Redis holds, as a replica has it that then hears no more."""
    found: dict[bytes, tuple[int, bytes]] = {}
    for key in await wopi.redis.call("KEYS", "*"):
        life_ms = max(0, await wopi.redis.call("PTTL", key))
        found[key] = (life_ms, await wopi.redis.call("DUMP", key))
    return found


async def fail_over(wopi: Wopi, replica: dict[bytes, tuple[int, bytes]]) -> None:
    """Forget what came after."""
    await wopi.redis.call("FLUSHDB")
    for key, (life_ms, value) in replica.items():
        await wopi.redis.call("RESTORE", key, life_ms, value)


async def ask(wopi: Wopi, token: str, override: str, body: bytes = b"", **headers: str) -> str:
    """Send a request that must be answered 200; return when the file was modified last."""
    url = wopi.path + ("/contents" if override == "PUT" else "")
    answer = await wopi.http.post(
        url,
        params={"access_token": token},
        headers={"X-WOPI-Override": override, **LOCK, **headers},
        content=body or None,
    )
    assert answer.status_code == 200, answer.headers
    return answer.json()["LastModifiedTime"] if override == "PUT" else ""


@pytest.mark.parametrize("replaced", [False, True])
async def test_what_a_failover_forgot_is_announced_once_it_is_seen(
    wopi: Wopi, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    params = {"access_token": wopi.token}
    headers = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "L"}
    await wopi.http.post(wopi.path, params=params, headers=headers)
    replica = await everything(wopi)
    forgotten = await commit(wopi, b"one", None)
    await fail_over(wopi, replica)
    assert await announced(wopi) == []
    if replaced:
        known = [await commit(wopi, b"two", None)]
    else:
        await wopi.http.get(wopi.path, params=params)
        known = []
    monkeypatch.setattr(intent_store, "SETTLED_AGE_S", 0)
    intents = RedisIntentStore(wopi.redis, partitions(wopi.redis))
    stopping = asyncio.Event()
    sweep = asyncio.create_task(reconcile_until(wopi.service.host, intents, stopping, unreported))
    await eventually(lambda: announced(wopi), lambda seen: len(seen) > len(known))
    stopping.set()
    await sweep
    assert await announced(wopi) == [*known, forgotten]


async def test_a_process_goes_on_after_a_failover_forgot_its_lock_and_its_save(wopi: Wopi) -> None:
    record = await wopi.world.registry.record(wopi.session.file_id)
    assert record is not None
    kind = EditorKind.COLLABORA
    anna, ben = [wopi.token_of(await wopi.world.session(record, kind=kind)) for _ in range(2)]
    replica = await everything(wopi)
    await ask(wopi, anna, "LOCK")
    await ask(wopi, anna, "PUT", b"anna", **{"X-WOPI-TimeStamp": "20"})
    await fail_over(wopi, replica)
    stale = {"X-COOL-WOPI-Timestamp": "2020-01-01T00:00:00.000000Z", "X-WOPI-TimeStamp": "30"}
    await ask(wopi, ben, "PUT", b"anna and ben", **stale)
    assert (wopi.folder / "a.txt").read_bytes() == b"anna and ben"


async def test_a_file_whose_head_was_forgotten_altogether_takes_its_next_save(wopi: Wopi) -> None:
    await ask(wopi, wopi.token, "LOCK")
    await ask(wopi, wopi.token, "PUT", b"one", **{"X-WOPI-TimeStamp": "20"})
    head = ("fp", "version", "lm", "size", "seq", "sha", "session", "wepoch", "attempt", "save_id")
    key = FileKeys(wopi.session.file_id).file
    assert await wopi.redis.call("HDEL", key, *head) == len(head)
    await ask(wopi, wopi.token, "PUT", b"two", **{"X-WOPI-TimeStamp": "30"})
    assert (wopi.folder / "a.txt").read_bytes() == b"two"
    known = await wopi.world.registry.record(wopi.session.file_id)
    assert known is not None
    assert known.head is not None
    assert known.head.attempt == 30
    assert known.head.sequence > 1
