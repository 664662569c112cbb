"""What Redis says of itself; see `genro_wopi.domain.doctor.RedisWitness`."""

import time
from statistics import median
from typing import Final

from redis.exceptions import ResponseError

from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.unsettled_report import unsettled_in_all
from genro_wopi.domain.doctor import RedisFacts

PINGS: Final = 7
_HASH_VALUE: Final = "hash-max-ziplist-value"
"""Since Redis 7 a second name of ``hash-max-listpack-value``."""

_OPTIONS: Final = ("appendonly", "appendfsync", "maxmemory-policy", _HASH_VALUE)


class RedisSelfWitness:
    """Implements `RedisWitness`."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def facts(self) -> RedisFacts:
        """See RedisWitness."""
        info = await self._info()
        options = await self._options()
        latencies: list[float] = []
        clocks: list[float] = []
        for _ in range(PINGS):
            began_s = time.perf_counter()
            seconds, micros = await self._redis.call("TIME")
            took_s = time.perf_counter() - began_s
            latencies.append(took_s * 1000)
            theirs_us = int(seconds) * 1_000_000 + int(micros)
            ours_us = time.time_ns() // 1000 - took_s * 500_000
            clocks.append((theirs_us - ours_us) / 1000)
        persistent = options.get("appendonly", info.get("aof_enabled"))
        return RedisFacts(
            name="valkey" if "valkey_version" in info else "redis",
            version=info.get("valkey_version", info.get("redis_version", "")),
            is_persistent=None if persistent is None else persistent in {"yes", "1"},
            fsync=options.get("appendfsync"),
            eviction=options.get("maxmemory-policy", info.get("maxmemory_policy")),
            hash_value_bytes=int(options[_HASH_VALUE]) if _HASH_VALUE in options else None,
            used_bytes=int(info.get("used_memory", "0")),
            max_bytes=int(info.get("maxmemory", "0")),
            is_primary=info.get("role", "master") == "master",
            latency_ms=median(latencies),
            clock_ahead_ms=median(clocks),
            unsettled_saves=await unsettled_in_all(self._redis),
        )

    async def _info(self) -> dict[str, str]:
        lines = text(await self._redis.call("INFO")).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    async def _options(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in _OPTIONS:
            try:
                pair = await self._redis.call("CONFIG", "GET", name)
            except ResponseError:
                continue  # A managed server, or a user that may not ask.
            if pair:
                found[text(pair[0])] = text(pair[1])
        return found
