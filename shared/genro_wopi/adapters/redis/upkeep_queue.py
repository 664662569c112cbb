"""Files that are due in Redis; see `genro_wopi.domain.upkeep_queue.UpkeepQueue`."""

from typing import Final

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.identifiers import FileId
from genro_wopi.domain.upkeep_queue import DueFile

_TAKE: Final = Script("take_upkeep")
_SETTLE: Final = Script("settle_upkeep")

CLAIM_MS: Final = 60_000
TWIN: Final = "="
"""Marks the member of a file whose bytes were saved twice."""


class RedisUpkeepQueue:
    """Implements `UpkeepQueue`."""

    def __init__(self, redis: RedisClient, partitions: Partitions) -> None:
        self._redis = redis
        self._partitions = partitions

    async def take(self, *, limit: int) -> list[DueFile]:
        """See UpkeepQueue."""
        calls = [((p.upkeep,), (limit, CLAIM_MS)) for p in await self._partitions.all()]
        found = await self._redis.run_each(_TAKE, calls)
        return [_due(text(member)) for members in found for member in members]

    async def settle(self, due: DueFile, *, seen_version: str, again_ms: int) -> None:
        """See UpkeepQueue."""
        names = FileKeys(due.file_id)
        arguments = (due.member, seen_version, again_ms)
        await self._redis.run(_SETTLE, (names.upkeep, names.file), arguments)

    async def claim_sweep(self, *, interval_ms: int) -> bool:
        """See UpkeepQueue."""
        command = ("SET", keys.UPKEEP_SWEEP, "1", "NX", "PX", interval_ms)
        return bool(await self._redis.call(*command))


def _due(member: str) -> DueFile:
    file_id = FileId(member.removeprefix(TWIN))
    return DueFile(file_id=file_id, has_twin=member.startswith(TWIN), member=member)
