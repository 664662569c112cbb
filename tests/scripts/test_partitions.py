"""The number of partitions may change at any time: files stay, and none is left unread."""

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.event_queue import RedisEventQueue
from genro_wopi.adapters.redis.file_registry import RedisFileRegistry
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.domain.identifiers import FileId, partition_of
from genro_wopi.domain.paths import StoragePath
from tests.support.world import TENANT, World


async def test_a_worker_reads_what_was_written_with_more_partitions(redis: RedisClient) -> None:
    wide = RedisFileRegistry(redis, Partitions(redis, 64))
    records = [await wide.register(TENANT, "docs", StoragePath(f"{n}.txt")) for n in range(40)]
    assert max(partition_of(r.file_id) for r in records) >= 4
    for record in records:
        await World(redis).session(record)
    queue = RedisEventQueue(redis, redis, Partitions(redis, 1))
    seen: set[str] = set()
    while taken := await queue.take(limit=40):
        for delivery in taken:
            seen.add(delivery.event.context.file_id)
            await queue.delivered(delivery)
    assert seen == {record.file_id for record in records}
    await redis.call("FLUSHALL")


async def test_a_file_keeps_its_id_and_new_ones_follow_the_number(redis: RedisClient) -> None:
    wide = RedisFileRegistry(redis, Partitions(redis, 64))
    narrow = RedisFileRegistry(redis, Partitions(redis, 1))
    old = await wide.register(TENANT, "docs", StoragePath("old.txt"))
    assert (await narrow.register(TENANT, "docs", StoragePath("old.txt"))).file_id == old.file_id
    new = await narrow.register(TENANT, "docs", StoragePath("new.txt"))
    assert partition_of(new.file_id) == 0


async def test_an_imported_id_of_a_further_partition_is_read(redis: RedisClient) -> None:
    partitions = Partitions(redis, 2)
    assert len(await partitions.all()) == 2
    file_id = FileId("c8" + "x" * 22)
    registry = RedisFileRegistry(redis, partitions)
    place = (file_id, TENANT, "docs", StoragePath("a.txt"))
    assert not await registry.adopt(*place, may_widen=False)
    assert await registry.record(file_id) is None
    assert len(await Partitions(redis, 2).all()) == 2
    assert await registry.adopt(*place, may_widen=True)
    assert len(await Partitions(redis, 2).all()) == 0xC8 + 1
