"""Hours that pass at once: whatever a file's records say of moments lies so much further back.

Redis tells the time by itself, so it is the records that are moved.
"""

from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.session_ends import RedisSessionEnds
from genro_wopi.domain.identifiers import FileId
from tests.support.world import partitions

SESSION_MOMENTS = ("expires_us", "ends_us", "created_us")
FILE_MOMENTS = ("used_us", "since_us", "before_us")


async def pass_by(redis: RedisClient, file_id: FileId, seconds: int) -> None:
    """Let time pass for a file and all of its sessions, and look after those that ended."""
    names = FileKeys(file_id)
    for member in await redis.call("ZRANGE", names.live, 0, -1):
        key = names.session(text(member).partition(" ")[0])
        await _move_back(redis, key, SESSION_MOMENTS, seconds)
        await redis.call("ZADD", names.live, 0, member)
        await _shorten(redis, key, seconds)
    await _move_back(redis, names.file, FILE_MOMENTS, seconds)
    for key in (names.lock, names.released):
        await _shorten(redis, key, seconds)
    await RedisSessionEnds(redis, partitions(redis)).sweep()


async def _move_back(redis: RedisClient, key: str, fields: tuple[str, ...], seconds: int) -> None:
    values = await redis.call("HMGET", key, *fields)
    for name, value in zip(fields, values, strict=True):
        if value is not None:
            await redis.call("HSET", key, name, int(value) - seconds * 1_000_000)


async def _shorten(redis: RedisClient, key: str, seconds: int) -> None:
    left_ms = int(await redis.call("PTTL", key))
    if 0 < left_ms <= seconds * 1000:
        await redis.call("DEL", key)
    elif left_ms > 0:
        await redis.call("PEXPIRE", key, left_ms - seconds * 1000)
