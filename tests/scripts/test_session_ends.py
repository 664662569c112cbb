"""What is told when sessions end: each once, and the document when nobody is left."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.event_queue import RedisEventQueue
from genro_wopi.adapters.redis.session_ends import RedisSessionEnds
from genro_wopi.domain.sessions import Purpose, Session, SessionState
from tests.support.waiting import eventually
from tests.support.world import World, partitions

QUIET = frozenset({"session_created", "document_opened", "lock_acquired", "lock_released"})


@pytest.fixture
async def world(each_redis: RedisClient) -> AsyncGenerator[World]:
    yield World(each_redis)
    await each_redis.call("FLUSHALL")


def ends_of(world: World) -> RedisSessionEnds:
    return RedisSessionEnds(world.redis, partitions(world.redis))


async def told(world: World, *, quiet: frozenset[str] = QUIET) -> list[tuple[str, str]]:
    """Return what was told of sessions and documents, in order, and take it away."""
    queue = RedisEventQueue(world.redis, world.redis, partitions(world.redis))
    found: list[tuple[str, str]] = []
    while taken := await queue.take(limit=10):
        for delivery in taken:
            event = delivery.event
            if event.name not in quiet:
                found.append((event.name, event.context.session_id))
            await queue.delivered(delivery)
    return found


async def open_file(world: World, session: Session) -> None:
    await world.sessions.admit(session.session_id, session.file_id, Purpose.READ, deadline_s=0)


async def expired(world: World, session: Session) -> None:
    async def state() -> SessionState | None:
        status = await world.sessions.get(session.session_id)
        return status.state if status else None

    await eventually(state, lambda seen: seen is SessionState.EXPIRED)


async def test_an_expired_session_is_told_once_however_many_sweep(world: World) -> None:
    session = await world.session(await world.file(), ttl_ms=30)
    await expired(world, session)
    await asyncio.gather(*(ends_of(world).sweep() for _ in range(8)))
    assert await told(world) == [("session_expired", session.session_id)]
    assert await ends_of(world).sweep() == 0


async def test_a_session_that_is_used_is_not_told(world: World) -> None:
    session = await world.session(await world.file(), ttl_ms=60_000)
    assert await ends_of(world).sweep() == 0
    await world.sessions.renew(session.session_id, ttl_ms=120_000, ends_us=2**60)
    assert await ends_of(world).sweep() == 0
    assert await told(world) == []


async def test_a_document_is_closed_when_its_last_session_is_gone(world: World) -> None:
    file = await world.file()
    first, second = await world.session(file), await world.session(file)
    unopened = await world.session(file)
    for session in (first, second):
        await open_file(world, session)
    await world.sessions.end(first.session_id, SessionState.DRAINING)
    await ends_of(world).sweep()
    assert ("document_closed", first.session_id) not in await told(world)
    await world.sessions.end(second.session_id, SessionState.REVOKED)
    await world.sessions.end(unopened.session_id, SessionState.REVOKED)
    await asyncio.gather(*(ends_of(world).sweep() for _ in range(4)))
    assert ("document_closed", second.session_id) in await told(world)
    assert await told(world) == []


async def test_a_document_is_not_closed_while_its_editor_may_still_save(world: World) -> None:
    session = await world.session(await world.file())
    await open_file(world, session)
    await world.locks.lock(world.lock(session, "L"), deadline_s=0)
    await world.sessions.end(session.session_id, SessionState.DRAINING)
    await ends_of(world).sweep()
    assert await told(world) == [("session_closed", session.session_id)]
    await world.locks.unlock(world.lock(session, "L"), deadline_s=0)
    partition = session.session_id[:2]
    member = f"{session.session_id} {session.file_id}"
    await world.redis.call("ZADD", f"wopi:{{{partition}}}:live", 0, member)
    await ends_of(world).sweep()
    assert await told(world) == [("document_closed", session.session_id)]


async def test_a_session_whose_record_is_gone_closes_its_document_too(world: World) -> None:
    session = await world.session(await world.file(), ttl_ms=30)
    await open_file(world, session)
    partition = session.session_id[:2]
    await world.redis.call("DEL", f"wopi:{{{partition}}}:session:{session.session_id}")
    member = f"{session.session_id} {session.file_id}"
    await world.redis.call("ZADD", f"wopi:{{{partition}}}:live", 0, member)
    await ends_of(world).sweep()
    assert await told(world) == [("document_closed", session.session_id)]
