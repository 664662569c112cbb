"""Liveness and readiness: whether the process runs, and whether it can serve."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from genro_wopi.domain.errors import UnavailableError
from genro_wopi.web.server import Readiness

Check = Callable[[], Awaitable[dict[str, str]]]
"""Returns what is ready, as name and state; raises `UnavailableError` where something is not."""


def health_routes(readiness: Readiness, check: Check) -> list[HTTPRouteHandler]:
    """Build the three addresses that need no authentication."""

    @get("/health/live")
    async def live() -> Response[bytes]:
        return _answer(200, {"status": "live"})

    @get("/health/ready")
    async def ready() -> Response[bytes]:
        return await _readiness(readiness, check)

    @get("/health")
    async def health() -> Response[bytes]:
        return await _readiness(readiness, check)

    return [live, ready, health]


async def _readiness(readiness: Readiness, check: Check) -> Response[bytes]:
    if readiness.draining:
        return _answer(503, {"status": "draining"})
    try:
        states = await check()
    except UnavailableError as error:
        return _answer(503, {"status": "not ready", "detail": str(error)})
    return _answer(200, {"status": "ready", **states})


def _answer(status: int, content: dict[str, Any]) -> Response[bytes]:
    headers = {"Retry-After": "1"} if status == 503 else {}  # noqa: PLR2004 - not ready yet
    body = msgspec.json.encode(content)
    return Response(body, status_code=status, media_type=MediaType.JSON, headers=headers)
