"""Events: appended with the change, moved into lanes in order, claimed by one worker at a time."""

from collections.abc import AsyncGenerator

import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.event_queue import RedisEventQueue
from genro_wopi.domain.events import Delivery
from tests.support.world import World, partitions


@pytest.fixture
async def queue(each_redis: RedisClient) -> AsyncGenerator[RedisEventQueue]:
    yield RedisEventQueue(each_redis, each_redis, partitions(each_redis))
    await each_redis.call("FLUSHALL")


async def all_events(queue: RedisEventQueue) -> list[Delivery]:
    found: list[Delivery] = []
    while taken := await queue.take(limit=10):
        for delivery in taken:
            found.append(delivery)
            await queue.delivered(delivery)
    return found


async def test_events_of_a_file_come_in_order_with_rising_sequence(
    each_redis: RedisClient, queue: RedisEventQueue
) -> None:
    world = World(each_redis)
    session = await world.session(await world.file())
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    await world.locks.unlock(world.lock(session, "A"), deadline_s=0)
    events = [d.event for d in await all_events(queue)]
    names = ["session_created", "lock_acquired", "document_opened", "lock_released"]
    assert [e.name for e in events] == names
    assert [e.sequence for e in events] == [1, 2, 3, 4]


async def test_a_claimed_event_is_not_given_to_a_second_worker(
    each_redis: RedisClient, queue: RedisEventQueue
) -> None:
    world = World(each_redis)
    await world.session(await world.file())
    assert len(await queue.take(limit=10)) == 1
    assert await queue.take(limit=10) == []


async def test_the_claim_of_a_dead_worker_lapses_and_keeps_the_id(each_redis: RedisClient) -> None:
    queue = RedisEventQueue(each_redis, each_redis, partitions(each_redis), claim_ms=0)
    world = World(each_redis)
    await world.session(await world.file())
    (first,) = await queue.take(limit=10)
    (second,) = await queue.take(limit=10)
    assert first.event.event_id == second.event.event_id
    assert (first.event.attempt, second.event.attempt) == (1, 2)


async def test_a_failed_event_holds_back_its_file_only(
    each_redis: RedisClient, queue: RedisEventQueue
) -> None:
    world = World(each_redis)
    failing = await world.session(await world.file("a.txt"))
    (delivery,) = await queue.take(limit=10)
    await queue.retry_later(delivery, delay_ms=60_000)
    await world.locks.lock(world.lock(failing, "A"), deadline_s=0)
    await world.session(await world.file("b.txt"))
    assert [d.event.file_path for d in await queue.take(limit=10)] == ["b.txt"]


async def test_what_was_given_up_makes_way_for_the_next(
    each_redis: RedisClient, queue: RedisEventQueue
) -> None:
    world = World(each_redis)
    session = await world.session(await world.file())
    (delivery,) = await queue.take(limit=10)
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    await queue.give_up(delivery, reason="no answer")
    (following,) = await queue.take(limit=10)
    assert following.event.name == "lock_acquired"


async def test_a_claim_is_held_while_its_delivery_takes_long(
    each_redis: RedisClient, queue: RedisEventQueue
) -> None:
    lapsing = RedisEventQueue(each_redis, each_redis, partitions(each_redis), claim_ms=0)
    await World(each_redis).session(await World(each_redis).file())
    (delivery,) = await lapsing.take(limit=10)
    await queue.hold(delivery)
    assert await lapsing.take(limit=10) == []


async def test_a_late_worker_does_not_hold_back_the_next_event(
    each_redis: RedisClient, queue: RedisEventQueue
) -> None:
    world = World(each_redis)
    session = await world.session(await world.file())
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    (delivery,) = await queue.take(limit=10)
    await queue.delivered(delivery)
    await queue.hold(delivery)
    assert [d.event.name for d in await queue.take(limit=10)] == ["lock_acquired"]
