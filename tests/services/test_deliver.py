"""Delivering events: no tenant holds up another; order per file; applications that fail."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.event_log import RedisEventLog
from genro_wopi.adapters.redis.event_queue import RedisEventQueue
from genro_wopi.callback_worker.operations.backlog import FRESH_S, FULL, Backlog
from genro_wopi.callback_worker.operations.deliver import Deliverer, Reports
from genro_wopi.callback_worker.operations.fairness import FAILURES_MAX, Fairness
from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.events import DeliveryOutcome, Event, EventStatus
from genro_wopi.domain.identifiers import TenantId
from tests.support.failing import unreported
from tests.support.waiting import eventually
from tests.support.world import World, partitions

HANGING, GONE = TenantId("hanging"), TenantId("gone")
HEALTHY = [TenantId(f"healthy-{n}") for n in range(19)]

REPORTS = Reports(lambda _delivery, _outcome: None, unreported)


@dataclass
class Applications:
    """Implements `Receiver`: what each tenant's application does."""

    answers: dict[TenantId, Callable[[], DeliveryOutcome]] = field(
        default_factory=dict[TenantId, Callable[[], DeliveryOutcome]]
    )
    hangs: set[TenantId] = field(default_factory=set[TenantId])
    got: list[Event] = field(default_factory=list[Event])
    lags_s: dict[TenantId, list[float]] = field(default_factory=dict[TenantId, list[float]])
    at_once: Counter[TenantId] = field(default_factory=Counter[TenantId])
    most_at_once: Counter[TenantId] = field(default_factory=Counter[TenantId])

    async def deliver(self, event: Event) -> DeliveryOutcome:
        tenant_id = event.context.tenant_id
        self.at_once[tenant_id] += 1
        self.most_at_once[tenant_id] = max(self.most_at_once[tenant_id], self.at_once[tenant_id])
        try:
            await asyncio.sleep(3600 if tenant_id in self.hangs else 0.005)
        finally:
            self.at_once[tenant_id] -= 1
        self.got.append(event)
        lag_s = time.time() - event.at_us / 1_000_000
        self.lags_s.setdefault(tenant_id, []).append(lag_s)
        answer = self.answers.get(tenant_id)
        return answer() if answer else DeliveryOutcome(delivered=True, reason="200")


@asynccontextmanager
async def worker(
    redis: RedisClient,
    applications: Applications,
    disabled: list[TenantId] | None = None,
    *,
    backlog_max: int = 100_000,
) -> AsyncGenerator[None]:
    """Run a worker until the block ends."""

    async def disable(tenant_id: TenantId) -> None:
        if disabled is not None:
            disabled.append(tenant_id)

    queue = RedisEventQueue(redis, redis, partitions(redis))
    clock = SystemClock()
    backlog = Backlog(queue, clock, events_max=backlog_max, report=lambda _waiting, _full: None)
    deliverer = Deliverer(
        queue,
        applications,
        clock,
        (0, 0, 0),
        Reports(lambda _delivery, _outcome: None, unreported),
        disable,
        backlog,
    )
    running = asyncio.create_task(deliverer.run(asyncio.Event()))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait((running,))
        await redis.call("FLUSHALL")


async def announce(world: World, tenant_id: TenantId, files: int) -> None:
    for number in range(files):
        file = await world.file(f"{number}.txt", tenant_id=tenant_id)
        await world.session(file)


async def test_a_hanging_tenant_holds_up_nobody_else(redis: RedisClient) -> None:
    world, applications = World(redis), Applications(hangs={HANGING})
    await announce(world, HANGING, 300)
    async with worker(redis, applications):
        await eventually(_at_once(applications), lambda most: most[HANGING] == 2)
        for tenant_id in HEALTHY:
            await announce(world, tenant_id, 10)
        await eventually(_count(applications), lambda count: count == len(HEALTHY) * 10)
        lags = sorted(lag for lag_of in applications.lags_s.values() for lag in lag_of)
        assert lags[int(len(lags) * 0.99)] < 10.0
        assert applications.most_at_once[HANGING] == 2


async def test_an_application_that_fails_is_left_alone_and_its_events_stay(
    redis: RedisClient,
) -> None:
    tenant_id = HEALTHY[0]
    applications = Applications(
        answers={tenant_id: lambda: DeliveryOutcome(delivered=False, reason="500")}
    )
    world, log = World(redis), RedisEventLog(redis, partitions(redis))
    await announce(world, tenant_id, 40)
    async with worker(redis, applications):
        await eventually(_count(applications), lambda count: count >= FAILURES_MAX)
        await asyncio.sleep(1.0)
        assert len(applications.got) <= FAILURES_MAX + 2
        waiting = await log.find(tenant_id, EventStatus.PENDING, before="", limit=100)
        assert len(waiting) == 40
        assert await log.find(tenant_id, EventStatus.DEAD, before="", limit=9) == []


async def test_of_too_many_waiting_events_the_oldest_are_kept(redis: RedisClient) -> None:
    world, applications = World(redis), Applications(hangs={HANGING})
    log = RedisEventLog(redis, partitions(redis))
    await announce(world, HANGING, 20)
    async with worker(redis, applications, backlog_max=20):
        await eventually(_at_once(applications), lambda most: most[HANGING] == 2)
        await asyncio.sleep(FRESH_S + 0.5)
        await announce(world, HANGING, 3)
        await announce(world, HEALTHY[0], 3)
        await eventually(_count(applications), lambda count: count == 3)
        dead = await log.find(HANGING, EventStatus.DEAD, before="", limit=99)
        kept = await log.find(HANGING, EventStatus.PENDING, before="", limit=99)
        assert {d.reason for d in dead} == {FULL}
        assert (len(dead), len(kept)) == (3, 20)
        assert min(d.event.at_us for d in dead) > max(k.event.at_us for k in kept)
        assert await log.replay(dead[0])
        assert len(await log.find(HANGING, EventStatus.PENDING, before="", limit=99)) == 21


async def test_a_list_goes_on_where_it_was_left(redis: RedisClient) -> None:
    world, log = World(redis), RedisEventLog(redis, partitions(redis))
    await announce(world, HANGING, 30)
    before, seen = "", list[str]()
    while found := await log.find(HANGING, EventStatus.PENDING, before=before, limit=7):
        seen += [logged.event.event_id for logged in found]
        before = found[-1].position
    assert len(seen) == len(set(seen)) == 30


async def test_an_application_that_wants_no_more_is_disabled_and_can_be_replayed(
    redis: RedisClient,
) -> None:
    gone = DeliveryOutcome(delivered=False, reason="410", gone=True)
    applications, disabled = Applications(answers={GONE: lambda: gone}), list[TenantId]()
    world, log = World(redis), RedisEventLog(redis, partitions(redis))
    await announce(world, GONE, 1)
    async with worker(redis, applications, disabled):
        await eventually(
            lambda: log.find(GONE, EventStatus.DEAD, before="", limit=9),
            lambda d: len(d) == 1,
        )
        assert disabled == [GONE]


async def test_events_of_a_file_keep_their_order_over_failures(redis: RedisClient) -> None:
    answers = iter([False, True, False, False, True, True, True])
    tenant_id = HEALTHY[0]
    applications = Applications(
        answers={tenant_id: lambda: DeliveryOutcome(delivered=next(answers), reason="")}
    )
    world = World(redis)
    session = await world.session(await world.file(tenant_id=tenant_id))
    await world.locks.lock(world.lock(session, "A"), deadline_s=0)
    await world.locks.unlock(world.lock(session, "A"), deadline_s=0)
    async with worker(redis, applications):
        await eventually(_count(applications), lambda count: count == 7)
        assert [e.sequence for e in applications.got] == [1, 1, 2, 2, 2, 3, 4]
        assert len({e.event_id for e in applications.got}) == 4


async def test_the_pause_grows_and_ends_with_a_success() -> None:
    fairness = Fairness(SystemClock())
    tenant_id = HEALTHY[0]
    for _ in range(FAILURES_MAX - 1):
        fairness.failed(tenant_id)
    assert fairness.left_alone_s(tenant_id) == 0
    fairness.failed(tenant_id)
    first = fairness.left_alone_s(tenant_id)
    fairness.failed(tenant_id)
    assert 0 < first < fairness.left_alone_s(tenant_id)
    assert set(fairness.busy()) == {tenant_id}
    fairness.succeeded(tenant_id)
    assert fairness.busy() == {}


def _count(applications: Applications):  # noqa: ANN202 - a coroutine function
    async def look() -> int:
        return len(applications.got)

    return look


def _at_once(applications: Applications):  # noqa: ANN202 - a coroutine function
    async def look() -> Counter[TenantId]:
        return applications.most_at_once

    return look
