"""How a process starts and stops: one event loop, signals, exit codes."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import uvloop

from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.schema import SCHEMA, NewerSchemaError, bring_up_to_date
from genro_wopi.adapters.tracing import TracingUnavailableError, start_tracing
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.runtime.logs import configure_logs, get_logger
from genro_wopi.runtime.metrics import serve_metrics
from genro_wopi.runtime.setting_loading import ConfigurationError, load_settings
from genro_wopi.runtime.settings import Service, Settings

GC_THRESHOLD: Final = 10_000
"""New objects until the youngest are looked through; at 700 requests often wait for it."""

EXIT_CONFIGURATION: Final = 2
EXIT_FAILED: Final = 1
REDIS_VERSION_MIN: Final = (6, 2)
REDIS_WAIT_S: Final = 30.0


class StartError(Exception):
    """The process cannot start; the message says why, in one line."""


def run_service(
    service: Service,
    main: Callable[[Settings, asyncio.Event], Awaitable[None]],
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run a service until SIGTERM or SIGINT and return its exit code.

    Args:
        service: which one; decides which settings are read.
        main: runs until the event is set, then finishes what is in flight and returns.
        environment: the process's own where None.
    """
    variables = os.environ if environment is None else environment
    try:
        settings = load_settings(variables, service)
    except ConfigurationError as error:
        sys.stderr.write(f"{service} cannot start:\n")
        sys.stderr.writelines(f"  {problem}\n" for problem in error.problems)
        return EXIT_CONFIGURATION
    configure_logs(service=service, log_format=settings.log_format, level=settings.log_level)
    log = get_logger()
    try:
        serve_metrics(settings.host, settings.metrics_port)
        end_tracing = start_tracing(service, variables)
        gc.freeze()  # What was imported lives as long as the process: no need to look at it again.
        gc.set_threshold(GC_THRESHOLD)
        try:
            uvloop.run(_until_stopped(main, settings))
        finally:
            end_tracing()
    except (StartError, OSError, UnavailableError, TracingUnavailableError) as error:
        log.error("service_failed", reason=str(error))
        return EXIT_FAILED
    return 0


async def _until_stopped(
    main: Callable[[Settings, asyncio.Event], Awaitable[None]], settings: Settings
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await main(settings, stopping)


async def require_redis(redis: RedisClient, *, wait_s: float = REDIS_WAIT_S) -> str:
    """Wait until Redis answers, for `wait_s` seconds at most; check it and what it holds.

    Raises:
        StartError: it stays away, is too old, or was written to by a newer version of this program.
    """
    loop = asyncio.get_running_loop()
    try:
        info = text(await redis.call("INFO", "server", deadline_s=loop.time() + wait_s))
    except UnavailableError as error:
        raise StartError(f"{error} (waited {wait_s:g} s; check WOPI_REDIS_URL)") from error
    fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    version = fields.get("redis_version", "0")
    if tuple(int(p) for p in version.split(".")[:2] if p.isdigit()) < REDIS_VERSION_MIN:
        raise StartError(f"Redis {version} is too old; use Redis 6.2 or Valkey, or a newer one")
    try:
        found = await bring_up_to_date(redis)
    except NewerSchemaError as error:
        raise StartError(str(error)) from error
    if found != SCHEMA:
        get_logger().info("records_migrated", was=found, now=SCHEMA)
    return version
