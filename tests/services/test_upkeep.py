"""What the callback-worker removes when its time is over, and what it must leave."""

import asyncio
import time

import msgspec
import pytest

from genro_wopi.adapters.redis.audit_store import RedisAuditStore
from genro_wopi.adapters.redis.client import text
from genro_wopi.adapters.redis.event_log import RedisEventLog
from genro_wopi.adapters.redis.session_ends import RedisSessionEnds
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.adapters.redis.upkeep_queue import RedisUpkeepQueue
from genro_wopi.callback_worker.operations.upkeep import Caretaker, end_rescues, look_at
from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.storages import StorageNode
from genro_wopi.domain.upkeep_queue import DueFile
from genro_wopi.domain.version_policy import DAY_US, VersionPolicy
from genro_wopi.wopi_service.operations.host import node_of
from tests.support.failing import unreported
from tests.support.in_process import Wopi
from tests.support.world import PARTITIONS, TENANT, partitions

STAMP = "2020-01-01T00:00:00.000000Z"


class LaterClock(SystemClock):
    """The machine's clock, some days ahead."""

    def __init__(self, days: int) -> None:
        self._days = days

    def now_us(self) -> int:
        return super().now_us() + self._days * DAY_US


def caretaker(wopi: Wopi, *, days: int = 0) -> Caretaker:
    host = wopi.service.host
    return Caretaker(
        audit=RedisAuditStore(wopi.redis, partitions(wopi.redis)),
        ends=RedisSessionEnds(wopi.redis, partitions(wopi.redis)),
        queue=RedisUpkeepQueue(wopi.redis, partitions(wopi.redis)),
        registry=host.registry,
        directory=host.directory,
        tenants=RedisTenantStore(wopi.redis),
        storages=host.storages,
        rescues=host.rescues,
        clock=LaterClock(days),
        recovery_days=30,
        deleted_days=30,
        audit_days=365,
        events=RedisEventLog(wopi.redis, partitions(wopi.redis)),
        dead_letter_days=90,
        report=lambda _what, _count: None,
        failed=unreported,
    )


async def call(wopi: Wopi, suffix: str, headers: dict[str, str], body: bytes = b"") -> int:
    answer = await wopi.http.request(
        "POST",
        wopi.path + suffix,
        params={"access_token": wopi.token},
        headers=headers,
        content=body or None,
    )
    return answer.status_code


async def save(wopi: Wopi, content: bytes, *, auto: bool = True) -> None:
    headers = {"X-WOPI-Override": "PUT", "X-WOPI-Lock": "L"}
    headers["X-COOL-WOPI-IsAutosave"] = str(auto).lower()
    assert await call(wopi, "/contents", headers, content) == 200


async def lock(wopi: Wopi) -> None:
    assert await call(wopi, "", {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "L"}) == 200


async def node(wopi: Wopi) -> StorageNode:
    record = await wopi.service.host.registry.record(wopi.session.file_id)
    assert record is not None
    return await node_of(wopi.service.host, record)


async def kept(wopi: Wopi) -> set[bytes]:
    found = await node(wopi)
    contents: set[bytes] = set()
    for version in await found.versions(limit=100):
        async with found.open_version(version.key) as chunks:
            contents.add(b"".join([c async for c in chunks]))
    return contents


async def use(wopi: Wopi, policy: VersionPolicy) -> None:
    store = RedisTenantStore(wopi.redis)
    storage = await store.get_storage(TENANT, "docs")
    assert storage is not None
    await store.put_storage(msgspec.structs.replace(storage, versions=policy))


def due(wopi: Wopi, *, twin: bool = False) -> DueFile:
    file_id = wopi.session.file_id
    return DueFile(file_id=file_id, has_twin=twin, member=f"={file_id}" if twin else file_id)


async def test_without_a_policy_every_save_stays(wopi: Wopi) -> None:
    await lock(wopi)
    for number in range(4):
        await save(wopi, b"save %d" % number)
    await look_at(caretaker(wopi, days=1000), due(wopi))
    assert await kept(wopi) == {b"hello", b"save 0", b"save 1", b"save 2"}


async def test_autosaves_are_merged_and_named_saves_stay(wopi: Wopi) -> None:
    await use(wopi, VersionPolicy(coalesce_seconds=3600))
    await lock(wopi)
    await save(wopi, b"first")
    await save(wopi, b"named", auto=False)
    await save(wopi, b"second")
    await save(wopi, b"third")
    await look_at(caretaker(wopi), due(wopi))
    assert await kept(wopi) == {b"hello", b"named"}
    assert (wopi.folder / "a.txt").read_bytes() == b"third"


async def test_identical_bytes_are_kept_once(wopi: Wopi) -> None:
    async def entered() -> set[str]:
        names = [f"wopi:{{{n:02x}}}:upkeep" for n in range(PARTITIONS)]
        return {text(m) for name in names for m in await wopi.redis.call("ZRANGE", name, 0, -1)}

    file_id = wopi.session.file_id
    await lock(wopi)
    await save(wopi, b"same", auto=False)
    assert await entered() == {file_id}
    await save(wopi, b"same", auto=False)
    assert await entered() == {file_id, f"={file_id}"}
    queue = RedisUpkeepQueue(wopi.redis, partitions(wopi.redis))
    assert await queue.take(limit=10) == []
    await look_at(caretaker(wopi), due(wopi, twin=True))
    assert await kept(wopi) == {b"hello"}


async def test_versions_end_by_age_and_the_next_look_is_set(wopi: Wopi) -> None:
    await use(wopi, VersionPolicy(keep_days=10))
    await lock(wopi)
    await save(wopi, b"new", auto=False)
    await look_at(caretaker(wopi, days=9), due(wopi))
    assert await kept(wopi) == {b"hello"}
    partition = wopi.session.session_id[:2]
    score = await wopi.redis.call("ZSCORE", f"wopi:{{{partition}}}:upkeep", wopi.session.file_id)
    assert 0 < float(score) / 1000 - time.time() <= 7 * 86_400 + 60
    await look_at(caretaker(wopi, days=11), due(wopi))
    assert await kept(wopi) == set()


async def test_a_deleted_file_can_be_taken_back_until_its_time_is_over(wopi: Wopi) -> None:
    host = wopi.service.host
    assert await call(wopi, "", {"X-WOPI-Override": "DELETE"}) == 200
    await look_at(caretaker(wopi, days=29), due(wopi))
    record = await host.registry.record(wopi.session.file_id)
    assert record is not None
    assert record.is_deleted
    assert record.path.endswith("/a.txt")
    await look_at(caretaker(wopi, days=31), due(wopi))
    assert await host.registry.record(wopi.session.file_id) is None
    deleted = wopi.folder / ".genro-wopi" / "deleted"
    assert list(deleted.iterdir()) == []


async def test_a_recovery_copy_ends_with_its_bytes(wopi: Wopi) -> None:
    host = wopi.service.host
    await lock(wopi)
    headers = {"X-WOPI-Override": "PUT", "X-WOPI-Lock": "L", "X-COOL-WOPI-Timestamp": STAMP}
    assert await call(wopi, "/contents", headers, b"refused") == 409
    copies = wopi.folder / ".genro-wopi" / "recovery"
    await end_rescues(caretaker(wopi, days=29))
    assert len(list(copies.iterdir())) == 2  # The bytes, and a note beside them.
    await end_rescues(caretaker(wopi, days=31))
    assert list(copies.iterdir()) == []
    assert await host.rescues.list_ids(TENANT, after="", limit=10) == []


async def test_a_file_is_taken_by_one_worker_and_again_when_it_dies(wopi: Wopi) -> None:
    queue = RedisUpkeepQueue(wopi.redis, partitions(wopi.redis))
    assert await call(wopi, "", {"X-WOPI-Override": "DELETE"}) == 200
    taken = await asyncio.gather(*(queue.take(limit=10) for _ in range(8)))
    assert sum(map(len, taken)) == 1
    (claimed,) = [due for found in taken for due in found]
    await queue.settle(claimed, seen_version="", again_ms=0)
    key = f"wopi:{{{wopi.session.session_id[:2]}}}:upkeep"
    record = await wopi.service.host.registry.record(wopi.session.file_id)
    assert record is not None
    version = record.head.version if record.head else ""
    assert (await wopi.redis.call("ZSCORE", key, claimed.member) is None) is (version == "")
    await queue.settle(claimed, seen_version=version, again_ms=0)
    assert await wopi.redis.call("ZSCORE", key, claimed.member) is None


async def test_a_file_of_a_storage_that_was_removed_is_left_alone(wopi: Wopi) -> None:
    await lock(wopi)
    await save(wopi, b"more")
    await RedisTenantStore(wopi.redis).delete_storage(TENANT, "docs")
    await look_at(caretaker(wopi), due(wopi))
    assert (wopi.folder / "a.txt").read_bytes() == b"more"


@pytest.mark.parametrize("kind", ["data", "draft"])
async def test_what_a_writer_left_that_died_is_removed_after_an_hour(
    wopi: Wopi, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await use(wopi, VersionPolicy(keep_count=5))
    await lock(wopi)
    await save(wopi, b"more")
    (history,) = (wopi.folder / ".genro-wopi" / "history").iterdir()
    leftover = history / f"{'0' * 32}.{kind}"
    leftover.write_bytes(b"half")
    await look_at(caretaker(wopi), due(wopi))
    assert leftover.exists()
    later = time.time() + 3700
    monkeypatch.setattr(time, "time", lambda: later)
    await look_at(caretaker(wopi), due(wopi))
    assert not leftover.exists()
