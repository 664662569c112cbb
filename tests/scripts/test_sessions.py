"""Sessions: they slide, drain, expire, are revoked; files keep their id and their versions."""

import asyncio

import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.domain.errors import UnauthenticatedError
from genro_wopi.domain.sessions import Purpose, Session, SessionState
from tests.support.waiting import eventually
from tests.support.world import TENANT, World, foreign_head


@pytest.fixture
def world(each_redis: RedisClient) -> World:
    return World(each_redis)


async def test_a_path_has_one_id_however_often_it_is_registered(world: World) -> None:
    files = await asyncio.gather(*(world.file(seen=False) for _ in range(20)))
    assert len({file.file_id for file in files}) == 1


async def test_an_expired_session_cannot_read(world: World) -> None:
    session = await world.session(await world.file(), ttl_ms=1)
    await asyncio.sleep(0.01)
    for purpose in (Purpose.READ, Purpose.CHECK):
        with pytest.raises(UnauthenticatedError):
            await world.sessions.admit(session.session_id, session.file_id, purpose, deadline_s=0)


async def test_an_expired_session_may_still_save_within_its_grace(world: World) -> None:
    session = await world.session(await world.file(), ttl_ms=1)
    await asyncio.sleep(0.01)
    admission = await world.sessions.admit(
        session.session_id, session.file_id, Purpose.SAVE, deadline_s=0
    )
    assert admission.status.state is SessionState.EXPIRED


async def test_a_session_in_use_slides(world: World) -> None:
    session = await world.session(await world.file(), ttl_ms=8_000)
    first_us = await expires_us(world, session)

    async def used() -> int:
        await world.sessions.admit(session.session_id, session.file_id, Purpose.CHECK, deadline_s=0)
        return await expires_us(world, session)

    await eventually(used, lambda ends_us: ends_us > first_us)


async def expires_us(world: World, session: Session) -> int:
    status = await world.sessions.get(session.session_id)
    assert status is not None
    assert status.state is SessionState.ACTIVE
    return status.expires_us


async def test_closing_twice_changes_nothing_more(world: World) -> None:
    session = await world.session(await world.file())
    first = await world.sessions.end(session.session_id, SessionState.DRAINING)
    second = await world.sessions.end(session.session_id, SessionState.DRAINING)
    assert first is not None
    assert second is not None
    assert first.expires_us == second.expires_us


async def test_a_revoked_session_is_not_renewed(world: World) -> None:
    session = await world.session(await world.file())
    await world.sessions.end(session.session_id, SessionState.REVOKED)
    renewed = await world.sessions.renew(session.session_id, ttl_ms=1000, ends_us=2**52)
    assert renewed is None


async def test_sessions_of_a_tenant_are_listed_page_by_page(world: World) -> None:
    file = await world.file()
    made = [(await world.session(file)).session_id for _ in range(3)]
    page = await world.sessions.list_ids(TENANT, after="", limit=2)
    rest = await world.sessions.list_ids(TENANT, after=page[-1][1], limit=2)
    assert sorted(s for s, _ in page + rest) == sorted(made)


async def test_the_same_fingerprint_keeps_its_version(world: World) -> None:
    file = await world.file()
    first = await world.registry.observe(file.file_id, foreign_head())
    assert await world.registry.observe(file.file_id, foreign_head()) == first


async def test_a_foreign_change_gets_a_new_version_and_a_later_time(world: World) -> None:
    file = await world.file()
    first = await world.registry.observe(file.file_id, foreign_head("a", modified_us=5_000))
    second = await world.registry.observe(file.file_id, foreign_head("b", modified_us=10))
    assert second.version != first.version
    assert second.last_modified_us > first.last_modified_us
