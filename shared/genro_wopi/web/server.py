"""Serves an ASGI application until it is told to stop, then finishes what is in flight."""

import asyncio
import resource
import socket
from contextlib import closing
from typing import Any, Final

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from genro_wopi.runtime.lifecycle import StartError
from genro_wopi.runtime.logs import get_logger
from genro_wopi.runtime.settings import Settings
from genro_wopi.web.arrival import Arrival, Pace

UNREADY_S: Final = 0.2
"""Between "not ready" and closing the door, so that a probe can see it."""


CONNECTION_BUFFER_BYTES: Final = 128 * 1024
"""What the server holds of each connection: a thousand slow ones must not fill the memory."""


CONNECTIONS_MAX: Final = 8192
"""Open at once, idle ones too; more wait until one closes."""

HEAD_TIMEOUT_MS: Final = 25_000
"""For the head of a request, and between two requests of a connection; whoever keeps connections to
forward by gives them up before."""


class Readiness:
    """Whether the process may get requests, and how many are in flight."""

    def __init__(self) -> None:
        self.draining = False
        self.in_flight = 0


async def serve(
    app: Any,  # noqa: ANN401 - an ASGI application
    settings: Settings,
    readiness: Readiness,
    stopping: asyncio.Event,
) -> None:
    """Serve until `stopping`, then drain for at most `drain_seconds`.

    Raises:
        StartError: the port is in use.
    """
    _require_free(settings.host, settings.port)
    pace = Pace(pause_s=settings.body_pause_seconds, bytes_per_s=settings.body_bytes_per_second_min)
    _raise_file_limit()
    server = Server(
        Arrival(app, pace, settings.trusted_proxies),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        websockets=False,
        http1_settings=HTTP1Settings(
            max_buffer_size=CONNECTION_BUFFER_BYTES, header_read_timeout=HEAD_TIMEOUT_MS
        ),
        log_enabled=False,
        backlog=1024,
        backpressure=CONNECTIONS_MAX,
    )
    log = get_logger()
    serving = asyncio.ensure_future(server.serve())
    log.info("service_ready", address=f"http://{settings.host}:{settings.port}")
    stopped = asyncio.ensure_future(stopping.wait())
    await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        stopped.cancel()
        await serving
        raise StartError("the server ended by itself")
    readiness.draining = True
    await asyncio.sleep(UNREADY_S)
    await _drain(readiness, settings.drain_seconds)
    server.stop()
    await asyncio.wait((serving,), timeout=2.0)
    log.info("service_stopped", in_flight=readiness.in_flight)


async def _drain(readiness: Readiness, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + seconds
    while readiness.in_flight and loop.time() < end_s:  # noqa: ASYNC110 - a counter, not an event
        await asyncio.sleep(0.05)


def _raise_file_limit() -> None:
    """Let the process have as many files open as it may; many systems begin with 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _require_free(host: str, port: int) -> None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartError(f"port {port} of {host} cannot be used: {error.strerror}") from error
