"""Kept answers in Redis; see `genro_wopi.domain.idempotency.IdempotencyStore`."""

from typing import Final

import msgspec

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.domain.idempotency import CLAIM_MS, KEPT_MS, KeptAnswer

_answer: Final = msgspec.json.Decoder(KeptAnswer)


class RedisIdempotencyStore:
    """Implements `IdempotencyStore`."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def begin(self, scope: str, key: str, fingerprint: str) -> KeptAnswer | None:
        """See IdempotencyStore."""
        name = keys.idempotency(scope, key)
        record = msgspec.json.encode(KeptAnswer(fingerprint=fingerprint))
        if await self._redis.call("SET", name, record, "NX", "PX", CLAIM_MS) is not None:
            return None
        known = await self._redis.call("GET", name)
        return _answer.decode(known) if known else KeptAnswer(fingerprint=fingerprint)

    async def keep(self, scope: str, key: str, answer: KeptAnswer) -> None:
        """See IdempotencyStore."""
        name = keys.idempotency(scope, key)
        await self._redis.call("SET", name, msgspec.json.encode(answer), "PX", KEPT_MS)

    async def forget(self, scope: str, key: str) -> None:
        """See IdempotencyStore."""
        await self._redis.call("DEL", keys.idempotency(scope, key))
