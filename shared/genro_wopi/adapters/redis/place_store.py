"""Whose which place is, in Redis; see `genro_wopi.domain.places.PlaceStore`."""

import time
from collections.abc import Sequence
from typing import Final

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.places import Claim, Claimed

_CLAIM: Final = Script("claim_place")


class RedisPlaceStore:
    """Implements `PlaceStore`."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def claim(
        self, name: str, tenant_id: TenantId, *, taken: Sequence[Claim] = ()
    ) -> Claimed:
        """See PlaceStore."""
        given = [part for claim in taken for part in (claim.name, claim.value)]
        reply = await self._redis.run(
            _CLAIM, (keys.PLACES, keys.PLACE_OWNERS), (name, tenant_id, *given)
        )
        word, *rest = [text(part) for part in reply]
        others = [Claim(n, v) for n, v in zip(rest[::2], rest[1::2], strict=True)]
        return Claimed(others=others, was_others=word == "taken")

    async def owner(self, name: str) -> TenantId | None:
        """See PlaceStore."""
        value = text(await self._redis.call("HGET", keys.PLACE_OWNERS, name))
        return Claim(name, value).tenant_id if value else None

    async def note(self, name: str, tenant_id: TenantId) -> None:
        """See PlaceStore."""
        value = f"{tenant_id} {time.time_ns() // 1000} 0"
        await self._redis.pipeline(
            [
                ("HSETNX", keys.PLACE_OWNERS, name, value),
                ("ZADD", keys.PLACES, 0, name),
            ]
        )

    async def is_complete(self) -> bool:
        """See PlaceStore."""
        return await self._redis.call("GET", keys.PLACES_COMPLETE) is not None

    async def complete(self) -> None:
        """See PlaceStore."""
        await self._redis.call("SET", keys.PLACES_COMPLETE, "1")
