"""Visits to the console in Redis; see `genro_wopi.domain.console.ConsoleVisits`."""

import time

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.domain.console import FAILURES_MAX, FAILURES_S, VISIT_MS, VISIT_MS_MAX


class RedisConsoleVisits:
    """Implements `ConsoleVisits`; the secret itself is not kept."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def begin(self, secret: str) -> None:
        """See ConsoleVisits."""
        key, now_ms = keys.console_visit(secret), time.time_ns() // 1_000_000
        await self._redis.call("SET", key, now_ms, "PX", VISIT_MS)

    async def is_under_way(self, secret: str) -> bool:
        """See ConsoleVisits."""
        key = keys.console_visit(secret)
        began = text(await self._redis.call("GET", key))
        left_ms = int(began or 0) + VISIT_MS_MAX - time.time_ns() // 1_000_000
        if not began or left_ms <= 0:
            return False
        await self._redis.call("PEXPIRE", key, min(VISIT_MS, left_ms))
        return True

    async def end(self, secret: str) -> None:
        """See ConsoleVisits."""
        await self._redis.call("DEL", keys.console_visit(secret))

    async def may_try(self, address: str) -> bool:
        """See ConsoleVisits."""
        failures = await self._redis.call("GET", keys.console_failures(address))
        return int(text(failures) or 0) < FAILURES_MAX

    async def failed(self, address: str) -> None:
        """See ConsoleVisits."""
        key = keys.console_failures(address)
        await self._redis.pipeline([("INCR", key), ("EXPIRE", key, FAILURES_S)])
