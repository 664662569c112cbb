"""Records of older versions are migrated once; those of newer ones are left alone."""

import asyncio

import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.schema import (
    SCHEMA,
    NewerSchemaError,
    bring_up_to_date,
)
from genro_wopi.domain.paths import StoragePath
from genro_wopi.runtime.lifecycle import StartError, require_redis
from tests.support.world import TENANT, World


async def test_an_empty_redis_gets_the_version_of_the_program(redis: RedisClient) -> None:
    assert await bring_up_to_date(redis) == 0
    assert await bring_up_to_date(redis) == SCHEMA
    assert await redis.call("GET", "wopi:schema") == str(SCHEMA).encode()


async def test_a_file_of_the_first_version_gets_an_id_that_is_found(redis: RedisClient) -> None:
    world = World(redis)
    new = await world.registry.register(TENANT, "docs", StoragePath("new.txt"))
    old = await world.registry.register(TENANT, "docs", StoragePath("old.txt"))
    (key,) = [
        name
        for name in await redis.call("KEYS", "wopi:{t:*}:path:*")
        if await redis.call("GET", name) == old.file_id.encode()
    ]
    await redis.call("SET", key, "x" * 22)
    await bring_up_to_date(redis)
    assert (await world.registry.register(TENANT, "docs", StoragePath("old.txt"))).path == "old.txt"
    assert await world.registry.find(TENANT, "docs", StoragePath("new.txt")) == new.file_id


async def test_of_many_processes_one_migrates(redis: RedisClient) -> None:
    ran: list[int] = []

    def to(version: int):  # noqa: ANN202 - a coroutine function
        async def migrate(_redis: RedisClient) -> None:
            ran.append(version)
            await asyncio.sleep(0.05)

        return migrate

    migrations = {1: to(1), 2: to(2), 3: to(3)}
    await asyncio.gather(
        *(bring_up_to_date(redis, schema=3, migrations=migrations) for _ in range(8))
    )
    assert ran == [1, 2, 3]


async def test_a_migration_that_was_interrupted_is_run_again(redis: RedisClient) -> None:
    tries: list[int] = []

    async def failing(_redis: RedisClient) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        await bring_up_to_date(redis, schema=1, migrations={1: failing})
    assert await bring_up_to_date(redis, schema=1, migrations={1: failing}) == 0
    assert len(tries) == 2


async def test_records_of_a_newer_version_are_left_alone(redis: RedisClient) -> None:
    await redis.call("SET", "wopi:schema", SCHEMA + 1)
    with pytest.raises(NewerSchemaError, match="restore the back-up"):
        await bring_up_to_date(redis)
    with pytest.raises(StartError, match="start the version that wrote them"):
        await require_redis(redis)
    assert await redis.call("GET", "wopi:schema") == str(SCHEMA + 1).encode()
