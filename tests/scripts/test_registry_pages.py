"""A page of a tenant's registered files costs so much, however many files others have."""

from typing import Any

import pytest

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.file_registry import SCAN_COUNT, SCANS_MAX, RedisFileRegistry
from genro_wopi.domain.identifiers import TenantId
from tests.support.world import TENANT, World, partitions

OTHER = TenantId("other.5eed0456")
THEIRS = 2 * SCANS_MAX * SCAN_COUNT


class Counted:
    """A client that counts how often it scans."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self.scans = 0

    async def call(self, *command: Any) -> Any:
        self.scans += command[0] == "SCAN"
        return await self._redis.call(*command)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._redis, name)


@pytest.mark.parametrize("own", [0, 3])
async def test_a_page_ends_before_everybodys_keys_were_looked_through(
    redis: RedisClient, own: int
) -> None:
    for start in range(0, THEIRS, 5000):
        names = [keys.path(OTHER, "docs", f"{start + n}") for n in range(5000)]
        await redis.pipeline([("SET", name, "00id") for name in names])
    world = World(redis)
    ids = {(await world.file(f"{n}.txt")).file_id for n in range(own)}
    counted: Any = Counted(redis)
    registry = RedisFileRegistry(counted, partitions(redis))
    found: set[str] = set()
    cursor, pages = "", 0
    while True:
        before = counted.scans
        records, cursor = await registry.page(TENANT, cursor=cursor, limit=100)
        assert counted.scans - before <= SCANS_MAX
        found |= {record.file_id for record in records}
        pages += 1
        if not cursor:
            break
    assert found == ids
    assert pages > 1
