"""The ends of sessions in Redis; see `genro_wopi.domain.session_ends.SessionEnds`."""

from typing import Final

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.keys import PartitionKeys
from genro_wopi.adapters.redis.scripts import Script

_SWEEP: Final = Script("sweep_sessions")

SESSIONS_AT_ONCE: Final = 100
LOCKED_MS: Final = 15_000
"""The last session of a file that is still locked is looked at again this soon."""


class RedisSessionEnds:
    """Implements `SessionEnds`."""

    def __init__(self, redis: RedisClient, partition_count: int) -> None:
        self._redis = redis
        self._partitions = [PartitionKeys(n) for n in range(partition_count)]

    async def sweep(self) -> int:
        """See SessionEnds."""
        calls = [
            ((p.live, p.events), (p.prefix, SESSIONS_AT_ONCE, LOCKED_MS)) for p in self._partitions
        ]
        return sum(await self._redis.run_each(_SWEEP, calls))
