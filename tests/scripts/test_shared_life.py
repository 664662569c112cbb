"""A session lives as long as the document that it joined is used, with whosever token."""

import asyncio
import time

import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.domain.errors import LockMismatchError, UnauthenticatedError
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import new_save_id
from genro_wopi.domain.locks import LockRequest
from genro_wopi.domain.saves import Save, Standing
from genro_wopi.domain.sessions import Asker, Purpose, Session, SessionState
from genro_wopi.protocol.lock_id import LockId
from tests.scripts.test_session_ends import ends_of, expired, told
from tests.support.world import World

LIFE_MS = 600
LOCK = "cool-lock1"


@pytest.fixture
def world(each_redis: RedisClient) -> World:
    return World(each_redis)


async def asks(world: World, session: Session, purpose: Purpose = Purpose.CHECK) -> None:
    await world.sessions.admit(session.session_id, session.file_id, purpose, deadline_s=0)


async def lock(world: World, session: Session, text: str = LOCK) -> str:
    return await world.locks.lock(world.lock(session, text), deadline_s=0)


async def begins_save(world: World, session: Session) -> Standing:
    save = Save(
        save_id=new_save_id(),
        file_id=session.file_id,
        session_id=session.session_id,
        lock_id=LockId(LOCK),
    )
    return (await world.ledger.begin(save, deadline_s=0)).standing


async def state(world: World, session: Session) -> SessionState | None:
    status = await world.sessions.get(session.session_id)
    return status.state if status else None


async def a_while(world: World, *users: Session) -> None:
    """Let two idle lives pass in which only these ask."""
    for _ in range(8):
        await asyncio.sleep(LIFE_MS / 4000)
        for user in users:
            await lock(world, user)


async def together(world: World, **more: int) -> tuple[Session, Session]:
    """Make two people who have one document open; the first one locked it."""
    file = await world.file()
    anna = await world.session(file, ttl_ms=more.get("ttl_ms", LIFE_MS))
    ben = await world.session(file, ttl_ms=60_000)
    for session in (anna, ben):
        await asks(world, session, Purpose.READ if session is anna else Purpose.CHECK)
        await lock(world, session)
    return anna, ben


async def test_a_silent_person_lives_while_somebody_else_refreshes(world: World) -> None:
    anna, ben = await together(world)
    await a_while(world, ben)
    assert await state(world, anna) is SessionState.ACTIVE
    assert await ends_of(world).sweep() == 0
    await asks(world, anna, Purpose.READ)
    assert await begins_save(world, anna) is Standing.HELD


@pytest.mark.parametrize("purpose", [Purpose.CHECK, Purpose.READ, Purpose.SAVE])
async def test_each_request_of_one_slides_all_who_joined(world: World, purpose: Purpose) -> None:
    anna, ben = await together(world)
    for _ in range(8):
        await asyncio.sleep(LIFE_MS / 4000)
        await asks(world, ben, purpose)
    assert await state(world, anna) is SessionState.ACTIVE


async def test_who_asked_before_the_lock_was_taken_has_joined_too(world: World) -> None:
    file = await world.file()
    reader = await world.session(file, edit=False, ttl_ms=LIFE_MS)
    await asks(world, reader, Purpose.READ)
    ben = await world.session(file)
    await lock(world, ben)
    await a_while(world, ben)
    assert await state(world, reader) is SessionState.ACTIVE


async def test_strangers_and_those_who_left_are_not_kept_alive(world: World) -> None:
    file = await world.file()
    gone, stranger = [await world.session(file, ttl_ms=LIFE_MS) for _ in range(2)]
    await asks(world, gone)
    await lock(world, gone)
    await world.locks.unlock(world.lock(gone, LOCK), deadline_s=0)
    ben = await world.session(file)
    await asks(world, ben)
    await lock(world, ben, "another")
    for _ in range(8):
        await asyncio.sleep(LIFE_MS / 4000)
        await lock(world, ben, "another")
    for session in (gone, stranger):
        assert await state(world, session) is SessionState.EXPIRED
        with pytest.raises(UnauthenticatedError):
            await asks(world, session, Purpose.READ)


async def test_what_was_shared_still_counts_after_the_unlock(world: World) -> None:
    anna, ben = await together(world)
    await a_while(world, ben)
    await world.locks.unlock(world.lock(ben, LOCK), deadline_s=0)
    assert await state(world, anna) is SessionState.ACTIVE
    await asks(world, anna, Purpose.SAVE)


async def test_a_lock_that_vanished_and_came_back_goes_on(world: World) -> None:
    anna, ben = await together(world)
    await a_while(world, ben)
    await world.redis.call("DEL", FileKeys(anna.file_id).lock)
    await lock(world, ben)
    await a_while(world, ben)
    assert await state(world, anna) is SessionState.ACTIVE


async def test_a_session_that_was_told_expired_does_not_come_back(world: World) -> None:
    file = await world.file()
    anna, ben = await world.session(file, ttl_ms=LIFE_MS), await world.session(file)
    for session in (anna, ben):
        await asks(world, session, Purpose.READ)
        await lock(world, session)
    await expired(world, anna)
    await ends_of(world).sweep()
    assert ("session_expired", anna.session_id) in await told(world)
    await lock(world, ben)
    assert await state(world, anna) is SessionState.EXPIRED
    renewed = await world.sessions.renew(anna.session_id, ttl_ms=LIFE_MS, ends_us=2**52)
    assert renewed is not None
    await a_while(world, ben)
    assert await state(world, anna) is SessionState.ACTIVE, "renewed, it lives with the others"


async def test_the_maximum_ends_a_session_and_not_its_saves(world: World) -> None:
    anna, ben = await together(world)
    key = FileKeys(anna.file_id).session(anna.session_id)
    now_us = time.time_ns() // 1000
    ended = now_us - 3_600_000_000
    await world.redis.call("HSET", key, "ends_us", ended, "expires_us", ended)
    await lock(world, ben)
    assert await state(world, anna) is SessionState.EXPIRED
    assert await begins_save(world, anna) is Standing.HELD
    await lock(world, anna)
    await world.locks.refresh(world.lock(anna, LOCK), deadline_s=0)
    with pytest.raises(UnauthenticatedError):
        await asks(world, anna, Purpose.READ)
    await world.locks.unlock(world.lock(anna, LOCK), deadline_s=0)
    with pytest.raises(UnauthenticatedError):
        await begins_save(world, anna)


async def test_an_expired_session_takes_no_lock_and_refreshes_no_other(world: World) -> None:
    anna, ben = await together(world)
    await world.locks.unlock(world.lock(ben, LOCK), deadline_s=0)
    key = FileKeys(anna.file_id).session(anna.session_id)
    await world.redis.call("HSET", key, "ends_us", 1, "expires_us", 1)
    with pytest.raises(UnauthenticatedError):
        await lock(world, anna)
    await lock(world, ben, "another")
    for refused in (world.locks.lock, world.locks.refresh):
        with pytest.raises((UnauthenticatedError, LockMismatchError)):
            await refused(world.lock(anna, LOCK), deadline_s=0)
    with pytest.raises(UnauthenticatedError):
        await begins_save(world, anna)


async def ended(world: World, session: Session, state: SessionState) -> None:
    """End a session, so long ago that its grace is over."""
    await world.sessions.end(session.session_id, state)
    key = FileKeys(session.file_id).session(session.session_id)
    await world.redis.call("HSET", key, "expires_us", 1)


ENDS = pytest.mark.parametrize("end", [SessionState.DRAINING, SessionState.REVOKED])


@ENDS
async def test_who_has_left_still_refreshes_for_those_who_stay(
    world: World, end: SessionState
) -> None:
    anna, ben = await together(world, ttl_ms=60_000)
    await ended(world, ben, end)
    await ends_of(world).sweep()
    await world.locks.refresh(world.lock(ben, LOCK), deadline_s=0)
    await lock(world, ben)
    assert await begins_save(world, anna) is Standing.HELD


@ENDS
async def test_who_was_ended_alone_keeps_no_lock(world: World, end: SessionState) -> None:
    session = await world.session(await world.file())
    await asks(world, session, Purpose.READ)
    await lock(world, session)
    await ended(world, session, end)
    for refused in (world.locks.lock, world.locks.refresh):
        with pytest.raises(UnauthenticatedError):
            await refused(world.lock(session, LOCK), deadline_s=0)


@ENDS
async def test_any_authentic_token_releases_the_right_lock(world: World, end: SessionState) -> None:
    anna, ben = await together(world)
    await ended(world, ben, end)
    with pytest.raises(LockMismatchError):
        await world.locks.unlock(world.lock(ben, "another"), deadline_s=0)
    assert await world.locks.state(anna.file_id) is not None
    await world.locks.unlock(world.lock(ben, LOCK), deadline_s=0)
    assert await world.locks.state(anna.file_id) is None


async def test_a_closed_session_saves_what_its_editor_carries_while_the_lock_holds(
    world: World,
) -> None:
    _, ben = await together(world)
    await ended(world, ben, SessionState.DRAINING)
    assert await begins_save(world, ben) is Standing.HELD


async def test_a_revoked_session_saves_nothing(world: World) -> None:
    _, ben = await together(world)
    await ended(world, ben, SessionState.REVOKED)
    with pytest.raises(UnauthenticatedError):
        await begins_save(world, ben)


async def test_the_record_of_an_ended_session_is_kept_as_long_as_its_lock(world: World) -> None:
    anna, ben = await together(world)
    await ended(world, ben, SessionState.DRAINING)
    key = FileKeys(anna.file_id).session(ben.session_id)
    await world.redis.call("PEXPIRE", key, 60_000)
    await ends_of(world).sweep()
    assert await world.redis.call("PTTL", key) > 3_600_000
    member = f"{ben.session_id} {ben.file_id}"
    assert await world.redis.call("ZSCORE", FileKeys(anna.file_id).live, member)
    await world.locks.unlock(world.lock(anna, LOCK), deadline_s=0)
    await world.redis.call("ZADD", FileKeys(anna.file_id).live, 0, member)
    await ends_of(world).sweep()
    assert await world.redis.call("ZSCORE", FileKeys(anna.file_id).live, member) is None


async def test_the_lock_stays_where_others_have_the_document(world: World) -> None:
    anna, ben = await together(world)
    assert not await world.locks.leave(world.lock(ben, LOCK), deadline_s=0)
    await ended(world, anna, SessionState.DRAINING)
    await ends_of(world).sweep()
    assert await world.locks.leave(world.lock(ben, LOCK), deadline_s=0)


async def test_a_hundred_co_editors_cost_one_write_in_a_sixteenth_of_a_life(
    world: World,
) -> None:
    file = await world.file()
    people = [await world.session(file, ttl_ms=60_000) for _ in range(100)]
    for person in people:
        await asks(world, person)
    await lock(world, people[0])
    keys = [FileKeys(file.file_id).session(person.session_id) for person in people]
    names = [*keys, FileKeys(file.file_id).file]
    before = await world.redis.pipeline([("DUMP", name) for name in names])
    for person in people[1:]:
        await asks(world, person, Purpose.SAVE)
        await world.locks.refresh(world.lock(person, LOCK), deadline_s=0)
    assert await world.redis.pipeline([("DUMP", name) for name in names]) == before


def from_server(request: LockRequest, editor: str) -> LockRequest:
    return LockRequest(
        file_id=request.file_id,
        session_id=request.session_id,
        lock_id=request.lock_id,
        request_id=request.request_id,
        attempt=0,
        can_edit=True,
        holder=request.holder,
        editor=editor,
    )


async def at_two_servers(world: World) -> tuple[FileRecord, LockRequest, LockRequest]:
    file = await world.file()
    anna, ben = await world.session(file), await world.session(file)
    requests = [
        from_server(world.lock(session, file.file_id), editor)
        for session, editor in ((anna, "one"), (ben, "two"))
    ]
    await world.locks.lock(requests[0], deadline_s=0)
    return file, requests[0], requests[1]


async def test_one_string_of_two_servers_is_two_locks(world: World) -> None:
    file, anna, ben = await at_two_servers(world)
    for change in (world.locks.lock, world.locks.refresh, world.locks.unlock):
        with pytest.raises(LockMismatchError, match="Anna is editing"):
            await change(ben, deadline_s=0)
    with pytest.raises(LockMismatchError):
        await world.locks.relock(ben, ben.lock_id, deadline_s=0)
    save = Save(
        save_id=new_save_id(),
        file_id=file.file_id,
        session_id=ben.session_id,
        lock_id=ben.lock_id,
        editor="two",
    )
    assert (await world.ledger.begin(save, deadline_s=0)).standing is Standing.OTHER
    await world.locks.unlock(anna, deadline_s=0)
    assert (await world.ledger.begin(save, deadline_s=0)).standing is Standing.UNLOCKED
    await world.locks.lock(ben, deadline_s=0)


async def test_a_token_that_names_no_server_is_taken_for_the_lock_s(world: World) -> None:
    _, _, ben = await at_two_servers(world)
    await world.locks.lock(from_server(ben, ""), deadline_s=0)


async def test_co_editors_have_opened_the_document_once(world: World) -> None:
    anna, ben = await together(world)
    carl = await world.session(await world.file())
    for _ in range(2):
        await asks(world, carl)
    names = [s for name, s in await every_event(world) if name == "document_opened"]
    assert sorted(names) == sorted(s.session_id for s in (anna, ben, carl))


async def test_who_asks_at_another_server_has_not_opened_it(world: World) -> None:
    file, _, _ = await at_two_servers(world)
    carl = await world.session(file)
    await world.sessions.admit(
        carl.session_id, carl.file_id, Purpose.CHECK, deadline_s=0, asker=Asker("two")
    )
    status = await world.sessions.get(carl.session_id)
    assert status is not None
    assert not status.opened


async def every_event(world: World) -> list[tuple[str, str]]:
    return await told(world, quiet=frozenset())
