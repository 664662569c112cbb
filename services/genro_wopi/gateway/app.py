"""Builds the gateway: the only module here that chooses adapters."""

import asyncio
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Final

import httpcore
from litestar import Litestar
from litestar.datastructures import State

from genro_wopi.adapters.directory import CachedDirectory
from genro_wopi.adapters.editors import FetchingEditorDirectory
from genro_wopi.adapters.http.egress import EgressPolicy, GuardedNetwork
from genro_wopi.adapters.http.fetch import FetchError, fetch
from genro_wopi.adapters.http.prober import HttpProber
from genro_wopi.adapters.http.trust import trusting
from genro_wopi.adapters.redis.audit_store import RedisAuditStore
from genro_wopi.adapters.redis.client import RedisClient, connect
from genro_wopi.adapters.redis.console_visits import RedisConsoleVisits
from genro_wopi.adapters.redis.editor_store import RedisEditorStore
from genro_wopi.adapters.redis.event_log import RedisEventLog
from genro_wopi.adapters.redis.file_registry import RedisFileRegistry
from genro_wopi.adapters.redis.idempotency_store import RedisIdempotencyStore
from genro_wopi.adapters.redis.instance_store import RedisInstanceStore
from genro_wopi.adapters.redis.lock_store import RedisLockStore
from genro_wopi.adapters.redis.move_ledger import RedisMoveLedger
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.adapters.redis.place_store import RedisPlaceStore
from genro_wopi.adapters.redis.rescue_store import RedisRescueStore
from genro_wopi.adapters.redis.save_ledger import RedisSaveLedger
from genro_wopi.adapters.redis.session_store import RedisSessionStore
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.adapters.redis.witness import RedisSelfWitness
from genro_wopi.adapters.secrets import AesGcmRing
from genro_wopi.adapters.session_service import SessionServiceClient
from genro_wopi.adapters.webhooks import WebhookReceiver
from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.moves import Mover
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.operations.rates import Rates
from genro_wopi.gateway.routes.api import api_routes
from genro_wopi.gateway.routes.console.pages import CONSOLE_ROUTES
from genro_wopi.gateway.routes.forward import Forwarder, forward_route
from genro_wopi.gateway.routes.journal import Journal
from genro_wopi.gateway.routes.launch import LAUNCH_ROUTES
from genro_wopi.gateway.routes.pages import PAGES
from genro_wopi.gateway.routes.service import GatewayService
from genro_wopi.runtime import metrics
from genro_wopi.runtime.callbacks import callback_network, callback_policy
from genro_wopi.runtime.lifecycle import require_redis
from genro_wopi.runtime.settings import Settings
from genro_wopi.runtime.spools import open_spool
from genro_wopi.runtime.storages import storage_opener
from genro_wopi.web.health import health_routes
from genro_wopi.web.server import Readiness, serve

WOPI_PREFIXES: Final = ("/wopi", "/wopibootstrapper")


async def run(settings: Settings, stopping: asyncio.Event) -> None:
    """Serve the public edge until told to stop."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(
            connect(settings.redis_url.reveal(), observe=metrics.observe_redis)
        )
        await require_redis(redis)
        readiness = Readiness()
        service = build_service(settings, redis, readiness, stack)
        groups = {
            prefix: settings.wopi_service_urls
            for prefix in WOPI_PREFIXES
            if settings.wopi_service_urls
        }
        groups |= {prefix: (url,) for prefix, url in settings.gateway_routes}
        forwarders = {
            prefix: Forwarder(
                urls,
                readiness,
                service.spool,
                patience_s=settings.patience_seconds if prefix in WOPI_PREFIXES else 0.0,
                trusted_proxies=settings.trusted_proxies,
            )
            for prefix, urls in groups.items()
        }
        for forwarder in forwarders.values():
            stack.push_async_callback(forwarder.aclose)
        app = create_app(service, redis, forwarders, settings.wopi_service_urls)
        await serve(app, settings, readiness, stopping)


def build_service(
    settings: Settings, redis: RedisClient, readiness: Readiness, stack: AsyncExitStack
) -> GatewayService:
    """Choose the adapters; what they hold open closes with the stack."""
    editor_policy = EgressPolicy(settings.editor_allow, setting="WOPI_EDITOR_ALLOW")
    editors = RedisEditorStore(redis)
    directory = FetchingEditorDirectory(editors, editor_policy)
    ring = AesGcmRing(settings.encryption_keys)
    storages = storage_opener(settings, redis, ring)
    sessions = SessionServiceClient(settings.session_service_url, settings.internal_token)
    tenants, clock = RedisTenantStore(redis), SystemClock()
    webhooks = WebhookReceiver(CachedDirectory(tenants), ring, callback_network(settings))
    for close in (directory.aclose, storages.aclose, sessions.aclose, webhooks.aclose):
        stack.push_async_callback(close)
    partitions = Partitions(redis, settings.event_partitions)
    registry = RedisFileRegistry(redis, partitions)
    spool = open_spool(settings)
    mover = Mover(
        registry=registry,
        ledger=RedisMoveLedger(redis),
        directory=CachedDirectory(tenants),
        storages=storages,
        clock=clock,
    )
    office = Office(
        instances=RedisInstanceStore(redis),
        session_service_ready=sessions.ready,
        version=version("genro-wopi"),
        public_url=settings.public_url,
        src_url=settings.src_url,
        internal_token=settings.internal_token,
        witness=RedisSelfWitness(redis),
        prober=HttpProber(),
        editor_prober=HttpProber(GuardedNetwork(editor_policy)),
        callback_tester=webhooks,
        tenants=tenants,
        editors=editors,
        directory=directory,
        storages=storages,
        places=RedisPlaceStore(redis),
        registry=registry,
        ledger=RedisSaveLedger(redis, registry),
        mover=mover,
        locks=RedisLockStore(redis),
        rescues=RedisRescueStore(redis),
        events=RedisEventLog(redis, partitions),
        audit=RedisAuditStore(redis, partitions),
        answers=RedisIdempotencyStore(redis),
        sessions=RedisSessionStore(redis),
        bodies=spool,
        file_bytes_max=settings.file_bytes_max,
        ring=ring,
        clock=clock,
        rates=Rates(clock, settings.api_rate_per_second),
        callback_egress=callback_policy(settings),
        check_certificates=trusting,
        editor_egress=editor_policy,
    )
    return GatewayService(
        office=office,
        sessions=sessions,
        spool=spool,
        readiness=readiness,
        admin_token=settings.admin_token,
        file_bytes_max=settings.file_bytes_max,
        public_url=settings.public_url,
        version=version("genro-wopi"),
        visits=RedisConsoleVisits(redis),
        trusted_proxies=settings.trusted_proxies,
        journal=Journal(
            slow_request_seconds=settings.slow_request_seconds, log_sample=settings.log_sample
        ),
    )


def create_app(
    service: GatewayService,
    redis: RedisClient,
    forwarders: dict[str, Forwarder],
    wopi_service_urls: tuple[str, ...],
) -> Litestar:
    """Wire the routes to a service."""
    pool = httpcore.AsyncConnectionPool()

    async def check() -> dict[str, str]:
        await redis.call("PING")
        if not await service.sessions.ready():
            raise UnavailableError("The session-service is not ready.")
        for url in wopi_service_urls:
            await _require_ready(pool, url)
        return {"redis": "ready", "session-service": "ready"}

    return Litestar(
        route_handlers=[
            *api_routes(),
            *LAUNCH_ROUTES,
            *PAGES,
            *CONSOLE_ROUTES,
            *(forward_route(prefix, f) for prefix, f in forwarders.items()),
            *health_routes(service.readiness, check),
        ],
        state=State({"gateway": service}),
        openapi_config=None,
        logging_config=None,
        on_shutdown=[pool.aclose],
    )


async def _require_ready(pool: httpcore.AsyncConnectionPool, url: str) -> None:
    try:
        answer = await fetch(pool, "GET", f"{url}/health/ready", timeout_s=2.0)
    except FetchError as error:
        raise UnavailableError("A wopi-service does not answer.") from error
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise UnavailableError("A wopi-service is not ready.")
