"""Builds the callback-worker: the only module here that chooses adapters."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from typing import Final

import msgspec

from genro_wopi.adapters.directory import CachedDirectory
from genro_wopi.adapters.redis.audit_store import RedisAuditStore
from genro_wopi.adapters.redis.client import connect
from genro_wopi.adapters.redis.event_log import RedisEventLog
from genro_wopi.adapters.redis.event_outbox import RedisEventOutbox
from genro_wopi.adapters.redis.event_queue import RedisEventQueue
from genro_wopi.adapters.redis.file_registry import RedisFileRegistry
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.adapters.redis.rescue_store import RedisRescueStore
from genro_wopi.adapters.redis.session_ends import RedisSessionEnds
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.adapters.redis.upkeep_queue import RedisUpkeepQueue
from genro_wopi.adapters.secrets import AesGcmRing
from genro_wopi.adapters.webhooks import WebhookReceiver
from genro_wopi.callback_worker.operations.backlog import Backlog
from genro_wopi.callback_worker.operations.deliver import WAIT_MS, Deliverer, Reports
from genro_wopi.callback_worker.operations.sinks import Sinks
from genro_wopi.callback_worker.operations.upkeep import Caretaker, keep_up
from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.events import Delivery, DeliveryOutcome, Receiver
from genro_wopi.domain.identifiers import TenantId, tenant_name
from genro_wopi.domain.storages import StorageProtocol
from genro_wopi.domain.tenants import TenantStore
from genro_wopi.runtime import metrics
from genro_wopi.runtime.background import background_failed
from genro_wopi.runtime.callbacks import callback_network
from genro_wopi.runtime.lifecycle import require_redis
from genro_wopi.runtime.logs import get_logger
from genro_wopi.runtime.settings import SINK_STREAM, SINK_WEBHOOK, Settings
from genro_wopi.runtime.storages import storage_opener

BLOCKING_TIMEOUT_S: Final = WAIT_MS / 1000 + 2.0
"""Above the time that a blocking read waits, so that waiting is not taken for an outage."""


async def run(settings: Settings, stopping: asyncio.Event) -> None:
    """Deliver events until told to stop."""
    url = settings.redis_url.reveal()
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connect(url, observe=metrics.observe_redis))
        blocking = await stack.enter_async_context(
            connect(url, socket_timeout_s=BLOCKING_TIMEOUT_S)
        )
        await require_redis(redis)
        partitions = Partitions(redis, settings.event_partitions)
        tenants, ring = RedisTenantStore(redis), AesGcmRing(settings.encryption_keys)
        directory, clock = CachedDirectory(tenants), SystemClock()
        webhooks = WebhookReceiver(
            directory,
            ring,
            callback_network(settings),
        )
        stack.push_async_callback(webhooks.aclose)
        by_name: dict[str, Receiver] = {
            SINK_STREAM: RedisEventOutbox(redis, directory),
            SINK_WEBHOOK: webhooks,
        }
        storages = storage_opener(settings, redis, ring)
        stack.push_async_callback(storages.aclose)
        caretaker = Caretaker(
            audit=RedisAuditStore(redis, partitions),
            ends=RedisSessionEnds(redis, partitions),
            queue=RedisUpkeepQueue(redis, partitions),
            registry=RedisFileRegistry(redis, partitions),
            directory=directory,
            tenants=tenants,
            storages=storages,
            rescues=RedisRescueStore(redis),
            clock=clock,
            recovery_days=settings.recovery_days,
            deleted_days=settings.deleted_days,
            audit_days=settings.audit_days,
            events=RedisEventLog(redis, partitions),
            dead_letter_days=settings.dead_letter_days,
            report=report_upkeep,
            failed=background_failed,
            report_totals=report_totals,
            report_storages=report_storages,
        )
        queue = RedisEventQueue(redis, blocking, partitions)
        deliverer = Deliverer(
            queue,
            Sinks([by_name[name] for name in settings.event_sinks]),
            clock,
            settings.callback_retry_seconds,
            Reports(report, background_failed),
            lambda tenant_id: disable_callbacks(tenants, tenant_id),
            Backlog(queue, clock, events_max=settings.event_backlog_max, report=BacklogReport()),
        )
        get_logger().info("service_ready")
        caring = asyncio.ensure_future(keep_up(caretaker, stopping))
        working = asyncio.ensure_future(deliverer.run(stopping))
        stopped = asyncio.ensure_future(stopping.wait())
        await asyncio.wait((working, caring, stopped), return_when=asyncio.FIRST_COMPLETED)
        async with asyncio.timeout(settings.drain_seconds + WAIT_MS / 1000 + 1):
            await asyncio.gather(working, caring)
        stopped.cancel()
        get_logger().info("service_stopped")


async def disable_callbacks(tenants: TenantStore, tenant_id: TenantId) -> None:
    """Send a tenant nothing more until its callbacks are configured anew."""
    is_written = False
    while not is_written:
        tenant = await tenants.get_tenant(tenant_name(tenant_id))
        if tenant is None or tenant.tenant_id != tenant_id or tenant.callbacks_disabled:
            return
        changed = msgspec.structs.replace(
            tenant, callbacks_disabled=True, revision=tenant.revision + 1
        )
        is_written = await tenants.put_tenant(changed, was=tenant.revision)
    get_logger().warning(
        "callbacks_disabled", tenant=tenant_name(tenant_id), reason="it answered 410"
    )


class BacklogReport:
    """Shows how many events wait, and logs once whose are too many."""

    def __init__(self) -> None:
        self._known: frozenset[TenantId] = frozenset()

    def __call__(self, waiting: Mapping[TenantId, int], full: Collection[TenantId]) -> None:
        """Take what was counted."""
        metrics.EVENT_BACKLOG.set(sum(waiting.values()))
        metrics.EVENT_BACKLOGS_FULL.set(len(full))
        for tenant_id in set(full) - self._known:
            get_logger().warning(
                "event_backlog_full",
                tenant=tenant_name(tenant_id),
                waiting=waiting[tenant_id],
                reason="new events become dead letters until the application takes the old ones",
            )
        self._known = frozenset(full)


def report_totals(dead_letters: int, sessions: int) -> None:
    """Show what there is of the whole cluster."""
    metrics.DEAD_LETTERS.set(dead_letters)
    metrics.SESSIONS.set(sessions)


def report_storages(counts: Mapping[tuple[StorageProtocol, str], int]) -> None:
    """Show what is known of all tenants' storages."""
    metrics.STORAGES.clear()
    for (protocol, found), count in counts.items():
        metrics.STORAGES.labels(protocol, found).set(count)


def report_upkeep(what: str, count: int) -> None:
    """Count and log what was removed because its time was over."""
    if count:
        metrics.UPKEEP_REMOVED.labels(what).inc(count)
        get_logger().info("upkeep_removed", what=what, count=count)


def report(delivery: Delivery, outcome: DeliveryOutcome) -> None:
    """Count and log one delivery."""
    event = delivery.event
    result = "skipped" if outcome.skipped else "delivered" if outcome.delivered else "failed"
    metrics.EVENTS.labels(event.name, result).inc()
    if event.attempt == 1:
        metrics.EVENT_LAG.observe(max(0.0, SystemClock().now_us() - event.at_us) / 1_000_000)
    fields = {"event_name": event.name, "event_id": event.event_id, "attempt": event.attempt}
    if outcome.delivered:
        get_logger().info(f"event_{result}", **fields)
    else:
        get_logger().warning("event_failed", **fields, reason=outcome.reason)
