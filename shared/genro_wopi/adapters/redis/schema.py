"""The version of what lies in Redis: migrated forward at the start, never read by an older program.

Every process looks at the start. One of them migrates, under a lease; the others wait for it. A
migration can be run again after it was interrupted.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.leases import RedisLeases
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.identifiers import FILE_ID

Migration = Callable[[RedisClient], Awaitable[None]]

SCHEMA: Final = 1
"""What this program writes."""

WAIT_S: Final = 600.0
LEASE: Final = "schema"
SCAN_COUNT: Final = 1000


class NewerSchemaError(Exception):
    """The records were written by a newer program; the message says what to do."""


async def forget_ids_without_partition(redis: RedisClient) -> None:
    """Let files whose id names no partition get new ones: 0 had ids that nothing finds any more."""
    async for names in redis.scan(keys.EVERY_PATH, count=SCAN_COUNT):
        ids = await redis.pipeline([("GET", name) for name in names]) if names else []
        old = [n for n, i in zip(names, ids, strict=True) if i and not FILE_ID.fullmatch(text(i))]
        if old:
            await redis.pipeline([("DEL", name) for name in old])


MIGRATIONS: Final[Mapping[int, Migration]] = {1: forget_ids_without_partition}
"""By the version that each leads to."""


async def bring_up_to_date(
    redis: RedisClient,
    *,
    schema: int = SCHEMA,
    migrations: Mapping[int, Migration] = MIGRATIONS,
    wait_s: float = WAIT_S,
) -> int:
    """Migrate what lies in Redis to this program's version; return the version that it had.

    Raises:
        NewerSchemaError: it has a newer one.
        UnavailableError: Redis is away, or another process migrates for longer than `wait_s`.
    """
    found = await _version(redis)
    if found == schema:
        return found
    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            async with RedisLeases(redis).held(LEASE, wait_s=1.0):
                return await _migrate(redis, schema, migrations)
        except UnavailableError:
            if await _version(redis) == schema:
                return found
            if time.monotonic() > deadline_s:
                raise
            await asyncio.sleep(0.2)


async def _migrate(redis: RedisClient, schema: int, migrations: Mapping[int, Migration]) -> int:
    found = await _version(redis)
    if found > schema:
        raise NewerSchemaError(
            f"Redis holds records of schema {found}, and this version knows {schema}: start the"
            " version that wrote them, or restore the back-up from before it"
        )
    for version in range(found + 1, schema + 1):
        await migrations[version](redis)
        await redis.call("SET", keys.SCHEMA, version)
    return found


async def _version(redis: RedisClient) -> int:
    return int(text(await redis.call("GET", keys.SCHEMA)) or 0)
