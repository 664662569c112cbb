"""Builds the session-service: the only module here that chooses adapters."""

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from litestar import Litestar
from litestar.datastructures import State

from genro_wopi.adapters.directory import CachedDirectory
from genro_wopi.adapters.editors import FetchingEditorDirectory
from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.redis.budgets import RedisBudgets
from genro_wopi.adapters.redis.client import RedisClient, connect
from genro_wopi.adapters.redis.editor_store import RedisEditorStore
from genro_wopi.adapters.redis.file_registry import RedisFileRegistry
from genro_wopi.adapters.redis.instance_store import RedisInstanceStore
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.adapters.redis.timeline import RedisTimeline
from genro_wopi.adapters.secrets import AesGcmRing
from genro_wopi.adapters.tokens import own_verifier, signer
from genro_wopi.domain.budgets import Budget
from genro_wopi.domain.clock import SystemClock
from genro_wopi.runtime import metrics
from genro_wopi.runtime.background import background_failed
from genro_wopi.runtime.lifecycle import require_redis
from genro_wopi.runtime.sessions import session_store
from genro_wopi.runtime.settings import Settings
from genro_wopi.runtime.storages import storage_opener
from genro_wopi.session_service.operations.desk import Desk
from genro_wopi.session_service.operations.fresh_discovery import keep_discovery_fresh
from genro_wopi.session_service.routes import ROUTES, SessionService
from genro_wopi.web.health import health_routes
from genro_wopi.web.server import Readiness, serve

CONFIGURATION_FRESH_S: Final = 0.0
"""Sessions are created seldom: what was configured a moment ago counts at once."""


async def run(settings: Settings, stopping: asyncio.Event) -> None:
    """Serve sessions until told to stop."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(
            connect(settings.redis_url.reveal(), observe=metrics.observe_redis)
        )
        await require_redis(redis)
        editors = FetchingEditorDirectory(
            RedisEditorStore(redis),
            EgressPolicy(settings.editor_allow, setting="WOPI_EDITOR_ALLOW"),
            fresh_s=CONFIGURATION_FRESH_S,
        )
        ring = AesGcmRing(settings.encryption_keys)
        storages = storage_opener(settings, redis, ring)
        stack.push_async_callback(editors.aclose)
        stack.push_async_callback(storages.aclose)
        tenants = RedisTenantStore(redis)
        timeline = RedisTimeline(redis, kept_hours=settings.timeline_hours)
        desk = Desk(
            instances=RedisInstanceStore(redis),
            sessions=session_store(settings, redis),
            budgets=RedisBudgets(
                redis, {Budget.SESSIONS: settings.sessions_per_minute}, metrics.count_over_share
            ),
            registry=RedisFileRegistry(redis, Partitions(redis, settings.event_partitions)),
            tenants=tenants,
            directory=CachedDirectory(tenants, fresh_s=CONFIGURATION_FRESH_S),
            storages=storages,
            editors=editors,
            signer=signer(settings.signing_keys),
            verifier=own_verifier(settings.signing_keys),
            ring=ring,
            timeline=timeline,
            clock=SystemClock(),
            public_url=settings.public_url,
            src_url=settings.src_url,
        )
        readiness = Readiness()
        service = SessionService(
            desk=desk, internal_token=settings.internal_token, readiness=readiness
        )
        async with asyncio.TaskGroup() as tasks:
            refreshing = tasks.create_task(
                keep_discovery_fresh(editors, tenants, background_failed)
            )
            tasks.create_task(timeline.write_until(stopping, background_failed))
            await serve(create_app(service, redis), settings, readiness, stopping)
            refreshing.cancel()
        await timeline.flush()


def create_app(service: SessionService, redis: RedisClient) -> Litestar:
    """Wire the routes to a service."""

    async def check() -> dict[str, str]:
        await redis.call("PING")
        return {"redis": "ready"}

    return Litestar(
        route_handlers=[*ROUTES, *health_routes(service.readiness, check)],
        state=State({"sessions": service}),
        openapi_config=None,
        logging_config=None,
    )
