"""Whatever a piece of background work raises, it is a counted failure of that piece alone."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import pytest

from genro_wopi.adapters.redis import intent_store, keys
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.event_log import RedisEventLog
from genro_wopi.adapters.redis.event_queue import UNREADABLE, RedisEventQueue
from genro_wopi.adapters.redis.intent_store import RedisIntentStore
from genro_wopi.adapters.redis.keys import PartitionKeys
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.callback_worker.operations import backlog, deliver, fairness, upkeep
from genro_wopi.callback_worker.operations.upkeep import Caretaker, keep_up
from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.editors import Editor
from genro_wopi.domain.events import DeliveryOutcome, Event, EventStatus
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.isolation import isolated
from genro_wopi.domain.version_policy import VersionPolicy
from genro_wopi.session_service.operations import fresh_discovery
from genro_wopi.wopi_service.operations import reconcile
from tests.services.test_deliver import announce
from tests.services.test_reconcile import announced, commit
from tests.services.test_upkeep import caretaker, lock, save
from tests.support.failing import RAISED, Failing, Failures, unreported
from tests.support.in_process import Wopi
from tests.support.waiting import eventually
from tests.support.world import TENANT, World, an_editor, partitions

GOOD, BAD, GONE = TenantId("good"), TenantId("bad"), TenantId("gone")
OUTCOMES = {
    GOOD: DeliveryOutcome(delivered=True, reason="200"),
    BAD: DeliveryOutcome(delivered=False, reason="500"),
    GONE: DeliveryOutcome(delivered=False, reason="410", gone=True),
}
DELIVERING = (
    *("queue.take", "queue.backlog", "queue.wait", "queue.hold", "queue.delivered"),
    *("queue.retry_later", "queue.give_up", "receiver.deliver", "disabler.disable"),
)
each_error = pytest.mark.parametrize("error", RAISED, ids=lambda e: type(e).__name__)


class Counted:
    """Remembers what failed."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []

    def __call__(self, _what: str, error: BaseException) -> None:
        self.errors.append(error)


class Application:
    """Implements `Receiver`: takes what is the good tenant's."""

    def __init__(self) -> None:
        self.got: set[str] = set()

    async def deliver(self, event: Event) -> DeliveryOutcome:
        await asyncio.sleep(0.05)
        if event.context.tenant_id == GOOD:
            self.got.add(event.event_id)
        return OUTCOMES[event.context.tenant_id]


class Disabler:
    async def disable(self, _tenant_id: TenantId) -> None:
        return None


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncGenerator["asyncio.Future[None]"]:
    task = asyncio.ensure_future(work)
    try:
        yield task
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def reached(failures: Failures, name: str) -> None:
    await eventually(lambda: _value(name in failures.raised), lambda raised: raised)
    failures.raises.clear()
    failures.raised.clear()


async def all_called(failures: Failures, names: Sequence[str]) -> None:
    failures.called.clear()
    every = set(names)
    await eventually(lambda: _value(frozenset(failures.called)), lambda seen: every <= seen)


async def _value(value: Any) -> Any:
    return value


@each_error
async def test_a_worker_goes_on_delivering_whatever_a_call_raises(
    redis: RedisClient, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "HOLD_S", 0.02)
    monkeypatch.setattr(deliver, "WAIT_MS", 20)
    monkeypatch.setattr(backlog, "FRESH_S", 0.0)
    monkeypatch.setattr(fairness, "FAILURES_MAX", 10_000)
    monkeypatch.setattr(deliver, "SETTLE_S", 0.0)
    failures, counted, application = Failures(), Counted(), Application()
    world = World(redis)
    queue: Any = Failing(
        "queue", RedisEventQueue(redis, redis, partitions(redis), claim_ms=200), failures
    )
    clock = SystemClock()
    reports = deliver.Reports(lambda _delivery, _outcome: None, counted)
    worker = deliver.Deliverer(
        queue,
        cast(Any, Failing("receiver", application, failures)),
        clock,
        (0,) * 1000,
        reports,
        cast(Any, Failing("disabler", Disabler(), failures)).disable,
        backlog.Backlog(queue, clock, events_max=1000, report=lambda _waiting, _full: None),
    )
    async with running(worker.run(asyncio.Event())):
        for name in DELIVERING:
            failures.raises[name] = error
            for tenant_id in OUTCOMES:
                await announce(world, tenant_id, 1)
            await reached(failures, name)
        await announce(world, GOOD, 1)
        expected = len(DELIVERING) + 1
        await eventually(lambda: _value(len(application.got)), lambda got: got == expected)
    assert len(counted.errors) >= len(DELIVERING)
    await redis.call("FLUSHALL")


async def test_attempts_that_raise_are_counted_until_the_event_is_a_dead_letter(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fairness, "FAILURES_MAX", 10_000)
    failures, log = Failures(), RedisEventLog(redis, partitions(redis))
    failures.raises["receiver.deliver"] = RecursionError("too deep")
    await announce(World(redis), GOOD, 1)
    queue, clock = RedisEventQueue(redis, redis, partitions(redis)), SystemClock()
    worker = deliver.Deliverer(
        queue,
        cast(Any, Failing("receiver", Application(), failures)),
        clock,
        (0, 0, 0),
        deliver.Reports(lambda _delivery, _outcome: None, unreported),
        Disabler().disable,
        backlog.Backlog(queue, clock, events_max=1000, report=lambda _waiting, _full: None),
    )
    async with running(worker.run(asyncio.Event())):
        dead = await eventually(
            lambda: log.find(GOOD, EventStatus.DEAD, before="", limit=9), lambda found: found != []
        )
    assert "RecursionError" in dead[0].reason
    await redis.call("FLUSHALL")


async def test_an_event_that_cannot_be_read_is_a_dead_letter_and_its_lane_goes_on(
    redis: RedisClient,
) -> None:
    await announce(World(redis), GOOD, 1)
    filled = [p for p in await partitions(redis).all() if await redis.call("XLEN", p.events)]
    names = filled[0]
    await redis.call("XADD", names.events, "*", "name", "x", "context", b'{"file_id": "f"}')
    queue = RedisEventQueue(redis, redis, partitions(redis))
    taken = await queue.take(limit=8)
    assert [d.event.context.tenant_id for d in taken] == [GOOD]
    dead = await redis.call("XRANGE", PartitionKeys(names.partition).dead, "-", "+")
    assert dead[0][1][3].decode() == UNREADABLE
    log = RedisEventLog(redis, partitions(redis))
    assert await log.find(TenantId(""), EventStatus.DEAD, before="", limit=9) == []
    await redis.call("FLUSHALL")


def failing_caretaker(wopi: Wopi, failures: Failures, counted: Counted) -> Caretaker:
    calm = caretaker(wopi)
    ports = ("ends", "audit", "queue", "registry", "directory", "tenants", "storages", "rescues")
    wrapped = {name: Failing(name, getattr(calm, name), failures) for name in (*ports, "events")}
    changes: dict[str, Any] = {**wrapped, "failed": counted}
    return msgspec.structs.replace(calm, **changes)


UPKEEP = (
    *("ends.sweep", "audit.keep_events", "queue.take", "registry.record", "directory.storage"),
    *("storages.open", "queue.settle", "events.totals", "queue.claim_sweep", "events.end_dead"),
    *("tenants.list_tenants", "tenants.list_storages", "rescues.older", "audit.tenants"),
    "audit.purge",
)


@each_error
async def test_upkeep_goes_on_whatever_a_call_raises(
    wopi: Wopi, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "ROUND_S", 0.01)
    monkeypatch.setattr(upkeep, "COUNT_S", 0.0)
    monkeypatch.setattr(upkeep, "SWEEP_MS", 1)
    store = RedisTenantStore(wopi.redis)
    storage = await store.get_storage(TENANT, "docs")
    assert storage is not None
    await store.put_storage(
        msgspec.structs.replace(storage, versions=VersionPolicy(keep_count=1, keep_days=1))
    )
    await lock(wopi)
    await save(wopi, b"one")
    failures, counted = Failures(), Counted()
    due = Due(wopi, failures)
    await wopi.redis.call("SADD", keys.AUDITED, TENANT)
    async with running(keep_up(failing_caretaker(wopi, failures, counted), asyncio.Event())):
        for name in UPKEEP:
            failures.raises[name] = error
            await eventually(due.look, lambda _, name=name: name in failures.raised)
            failures.raises.clear()
            failures.raised.clear()
            failures.called.clear()
            await eventually(due.look, every_call)
    assert len(counted.errors) >= len(UPKEEP)


class Editors:
    """Everybody has one."""

    async def candidates(self, scopes: tuple[str, ...]) -> list[Editor]:
        return [an_editor("https://office.test", scope=scopes[0])]

    async def refetch(self, _editor: Editor) -> None:
        return None


class Due:
    """Makes the file of a session due again and again, and shows what was called."""

    def __init__(self, wopi: Wopi, failures: Failures) -> None:
        self._wopi, self._failures = wopi, failures

    async def look(self) -> frozenset[str]:
        file_id = self._wopi.session.file_id
        key = PartitionKeys(int(file_id[:2], 16)).upkeep
        await self._wopi.redis.call("ZADD", key, 0, file_id)
        return frozenset(self._failures.called)


def every_call(seen: frozenset[str]) -> bool:
    return frozenset(UPKEEP) <= seen


@each_error
async def test_the_saves_of_others_are_settled_whatever_a_call_raises(
    wopi: Wopi, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = {"access_token": wopi.token}
    headers = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "L"}
    await wopi.http.post(wopi.path, params=params, headers=headers)
    await commit(wopi, b"lost", monkeypatch)
    monkeypatch.setattr(intent_store, "SETTLED_AGE_S", 0)
    monkeypatch.setattr(intent_store, "SWEEP_S", 0.01)
    monkeypatch.setattr(reconcile, "SWEEP_S", 0.01)
    failures, counted = Failures(), Counted()
    intents: Any = Failing(
        "intents", RedisIntentStore(wopi.redis, partitions(wopi.redis)), failures
    )
    registry = Failing("registry", wopi.service.host.registry, failures)
    host: Any = msgspec.structs.replace(
        wopi.service.host,
        **cast(Any, {"registry": registry}),
        **cast(Any, {"ledger": Failing("ledger", wopi.service.host.ledger, failures)}),
    )
    names = ("intents.claim_sweep", "intents.overdue", "registry.record", "ledger.publish")
    work = reconcile.reconcile_until(host, intents, asyncio.Event(), counted)
    failures.raises = dict.fromkeys(names, error)
    async with running(work):
        for name in names:
            await eventually(lambda n=name: _value(n in failures.raised), lambda raised: raised)
            del failures.raises[name]
        await eventually(lambda: announced(wopi), lambda seen: len(seen) == 1)
    assert len(counted.errors) >= len(names)


@each_error
async def test_other_editors_are_refreshed_whatever_one_raises(
    wopi: Wopi, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh_discovery, "INTERVAL_S", 0.01)
    failures, counted = Failures(), Counted()
    editors: Any = Failing("editors", Editors(), failures)
    tenants: Any = Failing("tenants", RedisTenantStore(wopi.redis), failures)
    names = ("editors.candidates", "editors.refetch", "tenants.list_tenants")
    async with running(fresh_discovery.keep_discovery_fresh(editors, tenants, counted)):
        for name in names:
            failures.raises[name] = error
            await reached(failures, name)
            await all_called(failures, names)
    assert len(counted.errors) >= len(names)


async def test_who_cancels_background_work_ends_it() -> None:
    begun = asyncio.Event()

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(isolated("test", unreported, endless))
    await begun.wait()
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_what_ends_the_process_is_not_held_back(
    ending: Callable[[], BaseException],
) -> None:
    async def work() -> None:
        raise ending()

    with pytest.raises(BaseException) as caught:  # noqa: PT011 - one of three, compared below
        await isolated("test", unreported, work)
    assert isinstance(caught.value, cast(Any, ending))
