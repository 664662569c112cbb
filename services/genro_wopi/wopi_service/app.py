"""Builds the wopi-service: the only module here that chooses adapters."""

import asyncio
from contextlib import AsyncExitStack

import msgspec
from litestar import Litestar
from litestar.types import ASGIApp, Receive, Scope, Send

from genro_wopi.adapters.directory import CachedDirectory
from genro_wopi.adapters.editors import FetchingEditorDirectory
from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.redis.budgets import RedisBudgets
from genro_wopi.adapters.redis.client import RedisClient, connect
from genro_wopi.adapters.redis.editor_store import RedisEditorStore
from genro_wopi.adapters.redis.file_registry import RedisFileRegistry
from genro_wopi.adapters.redis.intent_store import RedisIntentStore
from genro_wopi.adapters.redis.lock_store import RedisLockStore
from genro_wopi.adapters.redis.move_ledger import RedisMoveLedger
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.adapters.redis.rescue_store import RedisRescueStore
from genro_wopi.adapters.redis.save_ledger import RedisSaveLedger
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.adapters.redis.timeline import RedisTimeline
from genro_wopi.adapters.redis.unsettled_report import RedisUnsettledReport
from genro_wopi.adapters.secrets import AesGcmRing
from genro_wopi.adapters.session_service import SessionServiceClient
from genro_wopi.adapters.tokens import JwtVerifier, public_keys
from genro_wopi.adapters.unsettled_folder import UnsettledFolder
from genro_wopi.domain.budgets import Budget
from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.moves import Mover
from genro_wopi.domain.timeline import Timeline
from genro_wopi.runtime import metrics
from genro_wopi.runtime.background import background_failed
from genro_wopi.runtime.lifecycle import require_redis
from genro_wopi.runtime.sessions import session_store
from genro_wopi.runtime.settings import Settings
from genro_wopi.runtime.spools import open_spool
from genro_wopi.runtime.storages import storage_opener
from genro_wopi.web.health import health_routes
from genro_wopi.web.server import Readiness, serve
from genro_wopi.wopi_service.operations.host import Host
from genro_wopi.wopi_service.operations.proofs import ProofChecker
from genro_wopi.wopi_service.operations.reconcile import reconcile_until
from genro_wopi.wopi_service.operations.unsettled import (
    SUBMITTED_LOCK_TTL_MS,
    Unsettled,
    submit_until,
)
from genro_wopi.wopi_service.routes.dispatch import BOOTSTRAPPER, WopiRoutes
from genro_wopi.wopi_service.service import WopiService


async def run(settings: Settings, stopping: asyncio.Event) -> None:
    """Serve WOPI until told to stop."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(
            connect(settings.redis_url.reveal(), observe=metrics.observe_redis)
        )
        await require_redis(redis)
        readiness = Readiness()
        timeline = RedisTimeline(redis, kept_hours=settings.timeline_hours)
        service = build_service(settings, redis, readiness, stack, timeline)
        intents = RedisIntentStore(redis, Partitions(redis, settings.event_partitions))
        writing = asyncio.create_task(timeline.write_until(stopping, background_failed))
        reconciling = asyncio.create_task(
            reconcile_until(service.host, intents, stopping, background_failed)
        )
        submitting = asyncio.create_task(
            submit_until(service.unsettled, stopping, background_failed)
        )
        try:
            await serve(create_app(service, redis), settings, readiness, stopping)
        finally:
            reconciling.cancel()
            submitting.cancel()
            await asyncio.wait((reconciling, submitting, writing))
            await timeline.flush()


def build_service(
    settings: Settings,
    redis: RedisClient,
    readiness: Readiness,
    stack: AsyncExitStack,
    timeline: Timeline,
) -> WopiService:
    """Choose the adapters; what they hold open closes with the stack."""
    clock = SystemClock()
    lock_ttl_ms = settings.lock_ttl_seconds * 1000
    editors = FetchingEditorDirectory(
        RedisEditorStore(redis), EgressPolicy(settings.editor_allow, setting="WOPI_EDITOR_ALLOW")
    )
    ring = AesGcmRing(settings.encryption_keys)
    storages = storage_opener(settings, redis, ring)
    trader = SessionServiceClient(settings.session_service_url, settings.internal_token)
    for close in (editors.aclose, storages.aclose, trader.aclose):
        stack.push_async_callback(close)
    registry = RedisFileRegistry(redis, Partitions(redis, settings.event_partitions))
    directory = CachedDirectory(RedisTenantStore(redis))
    mover = Mover(
        registry=registry,
        ledger=RedisMoveLedger(redis),
        directory=directory,
        storages=storages,
        clock=clock,
    )
    host = Host(
        tokens=JwtVerifier(public_keys(settings.verify_keys)),
        proofs=ProofChecker(editors, clock, src_url=settings.src_url),
        sessions=session_store(settings, redis),
        registry=registry,
        locks=RedisLockStore(redis, lock_ttl_ms=lock_ttl_ms),
        ledger=RedisSaveLedger(redis, registry, lock_ttl_ms=lock_ttl_ms),
        rescues=RedisRescueStore(redis),
        budgets=RedisBudgets(
            redis,
            {Budget.ACTIVITIES: settings.activity_bytes_per_minute},
            metrics.count_over_share,
        ),
        directory=directory,
        storages=storages,
        mover=mover,
        trader=trader,
        editors=editors,
        clock=clock,
        ring=ring,
        public_url=settings.public_url,
        src_url=settings.src_url,
        patience_s=settings.patience_seconds,
    )
    spool = open_spool(settings)
    saves = UnsettledFolder(
        settings.spool_dir,
        size_bytes_max=settings.unsettled_bytes_max,
        observe=metrics.observe_unsettled,
    )
    stack.callback(saves.close)
    brief = RedisSaveLedger(redis, registry, lock_ttl_ms=min(lock_ttl_ms, SUBMITTED_LOCK_TTL_MS))
    unsettled = Unsettled(
        saves=saves,
        report=RedisUnsettledReport(redis),
        bodies=spool,
        host=msgspec.structs.replace(host, ledger=brief),
        kept_us=settings.unsettled_hours * 3_600_000_000,
        size_bytes_max=settings.file_bytes_max,
    )
    return WopiService(
        host=host,
        spool=spool,
        unsettled=unsettled,
        timeline=timeline,
        file_bytes_max=settings.file_bytes_max,
        readiness=readiness,
        internal_token=settings.internal_token,
        slow_request_seconds=settings.slow_request_seconds,
        log_sample=settings.log_sample,
    )


def create_app(service: WopiService, redis: RedisClient) -> ASGIApp:
    """Wire the routes to a service: WOPI directly, everything else through Litestar."""

    async def check() -> dict[str, str]:
        await redis.call("PING")
        return {"redis": "ready"}

    wopi = WopiRoutes(service)
    others = Litestar(
        route_handlers=health_routes(service.readiness, check),
        openapi_config=None,
        logging_config=None,
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(("/wopi/", BOOTSTRAPPER)):
            await wopi(scope, receive, send)
        else:
            await others(scope, receive, send)

    return app
