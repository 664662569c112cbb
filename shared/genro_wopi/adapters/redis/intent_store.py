"""Intents in Redis; see `genro_wopi.domain.intents.IntentStore`."""

import time

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.domain.identifiers import FileId
from genro_wopi.domain.intents import SETTLED_AGE_S, SWEEP_S, Intent


class RedisIntentStore:
    """Implements `IntentStore`."""

    def __init__(self, redis: RedisClient, partitions: Partitions) -> None:
        self._redis = redis
        self._partitions = partitions

    async def claim_sweep(self) -> bool:
        """See IntentStore."""
        life_ms = int(SWEEP_S * 1000)
        return bool(await self._redis.call("SET", keys.SWEEP, "1", "NX", "PX", life_ms))

    async def overdue(self, *, limit: int) -> list[Intent]:
        """See IntentStore."""
        now_ms = time.time_ns() // 1_000_000
        until = now_ms - SETTLED_AGE_S * 1000
        intents = [p.intents for p in await self._partitions.all()]
        rows = await self._redis.pipeline(
            [
                ("ZRANGEBYSCORE", key, "-inf", until, "WITHSCORES", "LIMIT", 0, limit)
                for key in intents
            ]
        )
        found: list[Intent] = []
        for row in rows:
            for member, score in zip(row[::2], row[1::2], strict=True):
                save_id, _, file_id = text(member).partition(" ")
                age_s = (now_ms - float(text(score))) / 1000
                found.append(Intent(save_id=save_id, file_id=FileId(file_id), age_s=age_s))
        return found

    async def forget(self, intent: Intent) -> None:
        """See IntentStore."""
        key = FileKeys(intent.file_id).intents
        await self._redis.call("ZREM", key, f"{intent.save_id} {intent.file_id}")
