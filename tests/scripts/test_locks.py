"""The lock table of the WOPI reference, on Redis and on Valkey."""

import asyncio

import msgspec
import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.domain.errors import LockMismatchError, UnauthenticatedError
from genro_wopi.domain.sessions import Purpose, SessionState
from genro_wopi.protocol.lock_id import LockId
from tests.support.waiting import eventually
from tests.support.world import World


@pytest.fixture
def world(each_redis: RedisClient) -> World:
    return World(each_redis)


async def held(world: World, session_and_file: tuple[str, str]) -> str | None:
    from genro_wopi.domain.identifiers import FileId, SessionId  # noqa: PLC0415 - only here

    session_id, file_id = session_and_file
    admission = await world.sessions.admit(
        SessionId(session_id), FileId(file_id), Purpose.LOCK_STATE, deadline_s=0
    )
    return admission.lease.lock_id if admission.lease else None


async def test_lock_of_an_unlocked_file_sets_it(world: World) -> None:
    session = await world.session(await world.file())
    version = await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    assert version.startswith("1.x")
    assert await held(world, (session.session_id, session.file_id)) == "A"


async def test_the_same_string_refreshes(world: World) -> None:
    session = await world.session(await world.file())
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    assert await held(world, (session.session_id, session.file_id)) == "A"


async def test_another_string_is_refused_with_holder_and_reason(world: World) -> None:
    session = await world.session(await world.file())
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    with pytest.raises(LockMismatchError, match="Anna is editing") as refused:
        await world.locks.lock(world.lock(session, "B"), deadline_s=0)
    assert refused.value.held == "A"


@pytest.mark.parametrize("operation", ["refresh", "unlock"])
async def test_an_unlocked_file_can_be_neither_refreshed_nor_released(
    world: World, operation: str
) -> None:
    session = await world.session(await world.file())
    with pytest.raises(LockMismatchError) as refused:
        await getattr(world.locks, operation)(world.lock(session, "A"), deadline_s=0)
    assert refused.value.held is None


@pytest.mark.parametrize("operation", ["refresh", "unlock"])
async def test_another_string_neither_refreshes_nor_releases(world: World, operation: str) -> None:
    session = await world.session(await world.file())
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    with pytest.raises(LockMismatchError) as refused:
        await getattr(world.locks, operation)(world.lock(session, "B"), deadline_s=0)
    assert refused.value.held == "A"


async def test_relock_swaps_and_is_safe_to_run_twice(world: World) -> None:
    session = await world.session(await world.file())
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    for _ in range(2):
        await world.locks.relock(
            world.lock(session, "B", request_id="same"), LockId("A"), deadline_s=0
        )
    assert await held(world, (session.session_id, session.file_id)) == "B"


async def test_relock_needs_the_old_string(world: World) -> None:
    session = await world.session(await world.file())
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    with pytest.raises(LockMismatchError):
        await world.locks.relock(world.lock(session, "B"), LockId("C"), deadline_s=0)


async def test_an_unlock_whose_answer_was_lost_succeeds_again(world: World) -> None:
    session = await world.session(await world.file())
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    await world.locks.unlock(world.lock(session, "A", request_id="u1"), deadline_s=0)
    await world.locks.unlock(world.lock(session, "A", request_id="u1"), deadline_s=0)
    with pytest.raises(LockMismatchError):
        await world.locks.unlock(world.lock(session, "A", request_id="u2"), deadline_s=0)


async def test_a_lock_is_not_tied_to_the_session_that_took_it(world: World) -> None:
    file = await world.file()
    first, second = await world.session(file), await world.session(file)
    await world.locks.lock(world.lock(first, "A"), deadline_s=0)
    await world.locks.unlock(world.lock(second, "A"), deadline_s=0)
    assert await held(world, (first.session_id, first.file_id)) is None


async def test_a_readers_lock_succeeds_and_locks_nothing(world: World) -> None:
    reader = await world.session(await world.file(), edit=False)
    await world.locks.lock(world.lock(reader, "A"), deadline_s=0)
    assert await held(world, (reader.session_id, reader.file_id)) is None


async def test_of_many_racing_clients_exactly_one_locks(world: World) -> None:
    session = await world.session(await world.file())
    results = await asyncio.gather(
        *(world.locks.lock(world.lock(session, f"L{n}"), deadline_s=0) for n in range(64)),
        return_exceptions=True,
    )
    assert sum(isinstance(r, str) for r in results) == 1
    assert sum(isinstance(r, LockMismatchError) for r in results) == 63


async def test_a_lock_ends_by_itself_and_the_epoch_rises(each_redis: RedisClient) -> None:
    world = World(each_redis, lock_ttl_ms=50)
    session = await world.session(await world.file())
    epochs: list[int] = []
    for name in ("A", "B"):
        await world.locks.lock(world.lock(session, name), deadline_s=0)
        epochs.append(int(await each_redis.call("HGET", FileKeys(session.file_id).file, "epoch")))
        await eventually(lambda: world.locks.state(session.file_id), lambda state: state is None)
    assert 0 < epochs[0] < epochs[1]


async def test_a_revoked_session_can_do_nothing(world: World) -> None:
    session = await world.session(await world.file())
    await world.sessions.end(session.session_id, SessionState.REVOKED)
    with pytest.raises(UnauthenticatedError):
        await world.locks.lock(world.lock(session, "A"), deadline_s=0)


async def test_a_session_of_another_file_is_refused(world: World) -> None:
    session = await world.session(await world.file("a.txt"))
    other = await world.file("b.txt")
    stolen = msgspec.structs.replace(world.lock(session, "A"), file_id=other.file_id)
    with pytest.raises(UnauthenticatedError):
        await world.locks.lock(stolen, deadline_s=0)


async def test_a_draining_session_keeps_its_lock_and_takes_no_new_one(world: World) -> None:
    session = await world.session(await world.file())
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    await world.sessions.end(session.session_id, SessionState.DRAINING)
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    await world.locks.unlock(world.lock(session, "A"), deadline_s=0)
    with pytest.raises(UnauthenticatedError):
        await world.locks.lock(world.lock(session, "A"), deadline_s=0)
