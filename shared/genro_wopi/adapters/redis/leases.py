"""Leases in Redis; see `genro_wopi.domain.leases.Leases`."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.errors import UnavailableError

_RELEASE: Final = Script("release_lease")

LIFE_MS: Final = 60_000
"""Longer than any commit is waited for."""

PAUSE_S: Final = 0.05


class RedisLeases:
    """Implements `Leases`."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    @asynccontextmanager
    async def held(self, name: str, *, wait_s: float) -> AsyncGenerator[None]:
        """See Leases."""
        key, token = keys.lease(name), secrets.token_hex(16)
        deadline_s = time.monotonic() + wait_s
        while not await self._redis.call("SET", key, token, "NX", "PX", LIFE_MS):
            if time.monotonic() + PAUSE_S > deadline_s:
                raise UnavailableError("Another save of this file is under way; try again.")
            await asyncio.sleep(PAUSE_S)
        try:
            yield
        finally:
            with suppress(UnavailableError):
                await self._redis.run(_RELEASE, (key,), (token,))
