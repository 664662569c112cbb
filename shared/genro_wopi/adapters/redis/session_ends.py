"""The ends of sessions in Redis; see `genro_wopi.domain.session_ends.SessionEnds`."""

from typing import Final

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.adapters.redis.rows import KEPT_US
from genro_wopi.adapters.redis.scripts import Script

_SWEEP: Final = Script("sweep_sessions")

SESSIONS_AT_ONCE: Final = 100
LOCKED_MS: Final = 15_000
"""The last session of a file that is still locked is looked at again this soon."""

LATE_MS: Final = 600_000
"""Another one that ended while its file is locked: its record is kept on, far longer than this."""


class RedisSessionEnds:
    """Implements `SessionEnds`."""

    def __init__(self, redis: RedisClient, partitions: Partitions) -> None:
        self._redis = redis
        self._partitions = partitions

    async def sweep(self) -> int:
        """See SessionEnds."""
        calls = [
            ((p.live, p.events), (p.prefix, SESSIONS_AT_ONCE, LOCKED_MS, LATE_MS, KEPT_US))
            for p in await self._partitions.all()
        ]
        return sum(await self._redis.run_each(_SWEEP, calls))
