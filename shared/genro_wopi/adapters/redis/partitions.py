"""Which partitions are in use: as many as were ever configured.

A file's id names its partition for ever; `WOPI_EVENT_PARTITIONS` only says among how many new files
are spread. So the number can be changed at any time: who reads the partitions reads all that were
ever used, and learns of more within seconds.
"""

import asyncio
from typing import Final

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.keys import PartitionKeys
from genro_wopi.adapters.redis.scripts import Script

_RAISE: Final = Script("raise_partitions")

FRESH_S: Final = 5.0


class Partitions:
    """The partitions that one process reads, and among which it spreads new files."""

    def __init__(self, redis: RedisClient, configured: int) -> None:
        self._redis = redis
        self._known: tuple[PartitionKeys, ...] = ()
        self._fresh_until_s = 0.0
        self.configured = configured

    async def all(self) -> tuple[PartitionKeys, ...]:
        """Return the names in every partition that is in use.

        Raises:
            UnavailableError: Redis does not answer, and nothing is known yet.
        """
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._fresh_until_s:
            await self.use(self.configured)
            self._fresh_until_s = now_s + FRESH_S
        return self._known

    async def use(self, count: int) -> None:
        """Note, before a file lies there, that partitions up to this number are in use."""
        if count > len(self._known) or asyncio.get_running_loop().time() >= self._fresh_until_s:
            in_use = int(await self._redis.run(_RAISE, (keys.PARTITIONS,), (count,)))
            self._known = tuple(PartitionKeys(number) for number in range(in_use))
