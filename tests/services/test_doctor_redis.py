"""What the doctor says of a real Redis: what is wrong is named with its remedy."""

from typing import Any

import msgspec
import pytest

from genro_wopi.adapters.redis.client import RedisClient, connect
from genro_wopi.adapters.redis.witness import RedisSelfWitness
from genro_wopi.domain.doctor import Level, RedisFacts
from genro_wopi.gateway.operations.doctor.case import Case
from genro_wopi.gateway.operations.doctor.redis_checks import examine_redis


class Facts(RedisSelfWitness):
    """What a real Redis says, but for what cannot be had here."""

    def __init__(self, redis: RedisClient, **changes: Any) -> None:
        super().__init__(redis)
        self._changes = changes

    async def facts(self) -> RedisFacts:
        return msgspec.structs.replace(await super().facts(), **self._changes)


def found(case: Case) -> set[str]:
    return {f.check for f in case.findings if f.level is not Level.NOTE}


async def redis_findings(redis: RedisClient, **changes: Any) -> set[str]:
    case = Case()
    await examine_redis(case, Facts(redis, **changes))
    assert all(f.remedy for f in case.findings)
    return found(case)


async def test_saves_that_wait_are_named(redis: RedisClient) -> None:
    assert "host.unsettled" not in await redis_findings(redis)
    assert "host.unsettled" in await redis_findings(redis, unsettled_saves=2)


@pytest.mark.parametrize(
    ("option", "bad", "good", "check"),
    [
        ("maxmemory-policy", "allkeys-lru", "noeviction", "redis.eviction"),
        ("appendonly", "no", "yes", "redis.persistence"),
        ("appendfsync", "no", "everysec", "redis.fsync"),
    ],
)
async def test_a_redis_that_forgets_is_named(
    redis: RedisClient, option: str, bad: str, good: str, check: str
) -> None:
    assert check not in await redis_findings(redis)
    await redis.call("CONFIG", "SET", option, bad)
    try:
        assert check in await redis_findings(redis)
    finally:
        await redis.call("CONFIG", "SET", option, good)


async def test_a_redis_that_needs_more_memory_than_it_must_is_noted(redis: RedisClient) -> None:
    option = "hash-max-ziplist-value"
    for value, is_noted in (("64", True), ("1024", False)):
        await redis.call("CONFIG", "SET", option, value)
        case = Case()
        await examine_redis(case, Facts(redis))
        assert ("redis.hashes" in {f.check for f in case.findings}) is is_noted


async def test_a_redis_that_is_nearly_full_is_named(redis: RedisClient) -> None:
    used = (await RedisSelfWitness(redis).facts()).used_bytes
    await redis.call("CONFIG", "SET", "maxmemory", str(int(used * 1.1)))
    try:
        assert "redis.memory" in await redis_findings(redis)
    finally:
        await redis.call("CONFIG", "SET", "maxmemory", "0")


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"name": "redis", "version": "6.0.16"}, "redis.version"),
        ({"name": "redis", "version": "7.2.4"}, "redis.security"),
        ({"name": "valkey", "version": "8.1.3"}, "redis.security"),
        ({"is_primary": False}, "redis.primary"),
        ({"latency_ms": 40.0}, "redis.latency"),
        ({"clock_ahead_ms": -4000.0}, "redis.clock"),
    ],
    ids=str,
)
async def test_what_a_redis_says_is_judged(
    redis: RedisClient, changes: dict[str, Any], check: str
) -> None:
    assert check in await redis_findings(redis, **changes)


@pytest.mark.parametrize(
    "version", [("redis", "7.4.6"), ("redis", "9.0.0"), ("valkey", "8.1.4"), ("valkey", "9.1.0")]
)
async def test_a_version_that_was_mended_is_well(
    redis: RedisClient, version: tuple[str, str]
) -> None:
    name, number = version
    assert "redis.security" not in await redis_findings(redis, name=name, version=number)


async def test_a_redis_that_is_away_is_named() -> None:
    async with connect("redis://127.0.0.1:9/0") as away:
        case = Case()
        await examine_redis(case, RedisSelfWitness(away))
    assert found(case) == {"redis.answers"}
