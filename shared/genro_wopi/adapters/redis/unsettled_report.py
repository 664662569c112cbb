"""How many saves wait in each process until they can be stored; see `keys.UNSETTLED`."""

import secrets
import time
from typing import Final

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text

KEPT_S: Final = 600
NEWS_S: Final = 120
"""What a process said longer ago does not count: it said more since, or is gone."""


class RedisUnsettledReport:
    """Implements `genro_wopi.domain.unsettled_saves.UnsettledReport` for one process."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._process = secrets.token_hex(8)
        self._told = 0
        self._told_s = 0.0

    async def tell(self, count: int) -> None:
        """See UnsettledReport; nothing is sent while nothing waits, and seldom otherwise."""
        now_s = time.time()
        if count == self._told and (not count or now_s - self._told_s < NEWS_S / 4):
            return
        if count:
            value = f"{count} {int(now_s)}"
            await self._redis.pipeline(
                [
                    ("HSET", keys.UNSETTLED, self._process, value),
                    ("EXPIRE", keys.UNSETTLED, KEPT_S),
                ]
            )
        else:
            await self._redis.call("HDEL", keys.UNSETTLED, self._process)
        self._told, self._told_s = count, now_s


async def unsettled_in_all(redis: RedisClient) -> int:
    """Return how many saves wait in all processes together."""
    found = [text(value).split(" ") for value in await redis.call("HVALS", keys.UNSETTLED)]
    since_s = time.time() - NEWS_S
    return sum(int(count) for count, told_s in found if int(told_s) > since_s)
