"""Events for more than one consumer: each gets each once, whatever the others do."""

import json
from typing import Any

from genro_wopi.adapters.directory import CachedDirectory
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.event_log import RedisEventLog
from genro_wopi.adapters.redis.event_outbox import RedisEventOutbox
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.callback_worker.operations.sinks import Sinks
from genro_wopi.domain.events import DeliveryOutcome, Event, EventStatus
from genro_wopi.domain.identifiers import TenantId
from tests.support.world import TENANT, World, partitions

NEXT = TenantId("acme.0ther")
OUTBOX = "wopi:{t:acme}:outbox"


class Refusing:
    """Implements `Receiver`: an application that takes nothing at first."""

    def __init__(self, refused: int) -> None:
        self.refused = refused
        self.got: list[Event] = []

    async def deliver(self, event: Event) -> DeliveryOutcome:
        self.got.append(event)
        return DeliveryOutcome(delivered=len(self.got) > self.refused, reason="500")


async def test_an_event_that_is_tried_again_is_in_the_stream_once(redis: RedisClient) -> None:
    event = await created(redis)
    await World(redis).tenant()
    application = Refusing(refused=2)
    sinks = Sinks([outbox(redis), application])
    outcomes = [(await sinks.deliver(event)).delivered for _ in range(3)]
    assert outcomes == [False, False, True]
    assert len(application.got) == 3
    (envelope,) = await appended(redis)
    assert envelope["specversion"] == "1.0"
    assert envelope["id"] == event.event_id
    assert envelope["type"] == "genro.wopi.session_created"
    assert envelope["subject"] == event.context.file_id
    assert envelope["data"]["file_path"] == event.file_path
    assert "attempt" not in envelope["data"]


async def test_what_a_deleted_tenant_left_reaches_no_stream(redis: RedisClient) -> None:
    event = await created(redis)
    assert (await outbox(redis).deliver(event)).skipped
    await World(redis).tenant(NEXT)
    assert (await outbox(redis).deliver(event)).skipped
    assert await appended(redis) == []


async def test_who_has_not_heard_of_a_deletion_puts_nothing_into_the_next_ones_stream(
    redis: RedisClient,
) -> None:
    event = await created(redis)
    await World(redis).tenant()
    directory = CachedDirectory(RedisTenantStore(redis))
    await directory.tenant(TENANT)  # It is kept for two seconds.
    await RedisTenantStore(redis).delete_tenant(TENANT)
    await World(redis).tenant(NEXT)
    await RedisEventOutbox(redis, directory).deliver(event)
    assert await appended(redis) == []


async def test_while_redis_takes_nothing_the_event_waits(redis: RedisClient) -> None:
    event = await created(redis)
    await World(redis).tenant()
    application, sinks = Refusing(refused=0), outbox(redis)
    await redis.call("CONFIG", "SET", "maxmemory", "1")
    try:
        outcome = await Sinks([sinks, application]).deliver(event)
    finally:
        await redis.call("CONFIG", "SET", "maxmemory", "0")
    assert not outcome.delivered
    assert application.got == []
    assert (await sinks.deliver(event)).delivered
    assert len(await appended(redis)) == 1


def outbox(redis: RedisClient) -> RedisEventOutbox:
    return RedisEventOutbox(redis, CachedDirectory(RedisTenantStore(redis)))


async def created(redis: RedisClient) -> Event:
    world = World(redis)
    await world.session(await world.file("a.txt"))
    found = await RedisEventLog(redis, partitions(redis)).find(
        TENANT, EventStatus.PENDING, before="", limit=1
    )
    return found[0].event


async def appended(redis: RedisClient) -> list[dict[str, Any]]:
    entries = await redis.call("XRANGE", OUTBOX, "-", "+")
    return [json.loads(fields[1]) for _, fields in entries]
