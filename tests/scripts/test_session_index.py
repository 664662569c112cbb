"""A tenant has so many sessions: who is gone makes room, and nobody pays for another."""

import msgspec
import pytest

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.session_index import BEGUN_MS, TIDYING, SessionIndex
from genro_wopi.adapters.redis.session_store import RedisSessionStore
from genro_wopi.domain.errors import RateLimitedError
from genro_wopi.domain.identifiers import TenantId, new_session_id
from genro_wopi.domain.sessions import Session, SessionState
from tests.support.world import TENANT, World

MAX = 3
OTHER = TenantId("other.5eed0456")


@pytest.fixture
def world(each_redis: RedisClient) -> World:
    world = World(each_redis)
    world.sessions = RedisSessionStore(each_redis, SessionIndex(each_redis, sessions_max=MAX))
    return world


async def fill(world: World) -> list[Session]:
    file = await world.file()
    return [await world.session(file) for _ in range(MAX)]


async def indexed(world: World) -> int:
    return len(await world.sessions.list_ids(TENANT, after="", limit=100))


async def test_one_more_than_there_may_be_is_refused_whatever_others_have(world: World) -> None:
    await fill(world)
    with pytest.raises(RateLimitedError) as refused:
        await world.session(await world.file("b.txt"))
    assert refused.value.retry_after_s == 60
    assert "WOPI_SESSIONS_MAX" in str(refused.value)
    assert await indexed(world) == MAX
    await world.session(await world.file(tenant_id=OTHER))


async def test_ended_ones_count_until_they_are_gone(world: World, each_redis: RedisClient) -> None:
    sessions = await fill(world)
    for session in sessions:
        await world.sessions.end(session.session_id, SessionState.REVOKED)
        await aged(each_redis, session)
    with pytest.raises(RateLimitedError):
        await world.session(await world.file())
    await each_redis.call("DEL", keys.session(sessions[0].session_id) or "")
    with pytest.raises(RateLimitedError):  # It was looked at a moment ago.
        await world.session(await world.file())
    await each_redis.call("DEL", keys.spent(TENANT, TIDYING))
    await world.session(await world.file())
    assert await indexed(world) == MAX


async def test_one_that_begins_just_now_is_not_taken_for_gone(
    world: World, each_redis: RedisClient
) -> None:
    sessions = await fill(world)
    await each_redis.call("DEL", keys.session(sessions[0].session_id) or "")
    with pytest.raises(RateLimitedError):
        await world.session(await world.file())


async def test_what_carries_a_save_is_let_in_and_counted(world: World) -> None:
    (session, *_) = await fill(world)
    file = await world.file("b.txt")
    session_id = new_session_id(file.file_id)
    new = msgspec.structs.replace(session, session_id=session_id, file_id=file.file_id)
    ends_us = session.created_us + 3_600_000_000
    with pytest.raises(RateLimitedError):
        await world.sessions.create(new, file, ends_us=ends_us)
    await world.sessions.create(new, file, ends_us=ends_us, beyond_share=True)
    assert await indexed(world) == MAX + 1


async def aged(redis: RedisClient, session: Session) -> None:
    """Let a session have been created a while ago."""
    created_ms = session.created_us // 1000 - 2 * BEGUN_MS
    index = keys.tenant_sessions(session.tenant_id)
    await redis.call("ZADD", index, created_ms, session.session_id)
