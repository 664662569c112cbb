"""The internal interface of the session-service: one call per operation, for our own services.

``POST /internal/operations/{name}`` with ``{"caller": …, "request": …}``. The gateway has decided
who calls; it shows itself by ``WOPI_INTERNAL_TOKEN``.
"""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from litestar import MediaType, Request, Response, post

from genro_wopi.adapters.tracing import TRACEPARENT, span
from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import NotFoundError, UnauthenticatedError
from genro_wopi.domain.secrets import Secret
from genro_wopi.management import sessions
from genro_wopi.management.launches import LaunchRequest, TokenRenewal
from genro_wopi.runtime.logs import get_logger
from genro_wopi.session_service.operations import create, launch_pages, manage
from genro_wopi.session_service.operations.derive import TradeRequest, trade_tokens
from genro_wopi.session_service.operations.desk import Desk
from genro_wopi.web.errors import problem_answer
from genro_wopi.web.server import Readiness

OPERATIONS: Final[dict[str, tuple[type[Any], Callable[..., Awaitable[Any]]]]] = {
    "sessions.create": (sessions.SessionCreate, create.create_session),
    "sessions.list": (sessions.SessionListRequest, manage.list_sessions),
    "sessions.get": (sessions.SessionRef, manage.get_session),
    "sessions.timeline": (sessions.SessionRef, manage.session_timeline),
    "sessions.renew": (sessions.SessionRenew, manage.renew_session),
    "sessions.close": (sessions.SessionRef, manage.close_session),
    "sessions.revoke": (sessions.SessionRef, manage.revoke_session),
    "sessions.cleanup": (sessions.SessionCleanup, manage.cleanup_sessions),
}


class Call(msgspec.Struct, frozen=True):
    """One call of the gateway."""

    request: msgspec.Raw
    caller: Caller = Caller(None)


class SessionService(msgspec.Struct, frozen=True, kw_only=True):
    """One running session-service."""

    desk: Desk
    internal_token: Secret
    readiness: Readiness


@post("/internal/operations/{name:str}", status_code=200)
async def operation(request: Request[Any, Any, Any], name: str) -> Response[bytes]:
    """Carry out one operation for the caller that the gateway names."""

    async def work(service: SessionService, call: Call) -> object:
        if name not in OPERATIONS:
            raise NotFoundError(f"There is no operation {name!r}.")
        kind, carry_out = OPERATIONS[name]
        parameters = msgspec.json.decode(call.request, type=kind)
        return await carry_out(service.desk, call.caller, parameters)

    return await _answered(request, name, work)


@post("/internal/launch", status_code=200)
async def launch(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Open a launch page."""

    async def work(service: SessionService, call: Call) -> object:
        parameters = msgspec.json.decode(call.request, type=LaunchRequest)
        return await launch_pages.open_launch(service.desk, parameters)

    return await _answered(request, "launch", work)


@post("/internal/trade", status_code=200)
async def trade(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Trade a session's token for tokens of other files; for the wopi-service."""

    async def work(service: SessionService, call: Call) -> object:
        parameters = msgspec.json.decode(call.request, type=TradeRequest)
        return await trade_tokens(service.desk, parameters)

    return await _answered(request, "trade", work)


@post("/internal/renew-token", status_code=200)
async def renew_token(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Give a launch page that shows its token a new one."""

    async def work(service: SessionService, call: Call) -> object:
        parameters = msgspec.json.decode(call.request, type=TokenRenewal)
        return await launch_pages.renew_token(service.desk, parameters)

    return await _answered(request, "renew-token", work)


ROUTES: Final = (operation, launch, renew_token, trade)


async def _answered(
    request: Request[Any, Any, Any],
    name: str,
    work: Callable[[SessionService, Call], Awaitable[object]],
) -> Response[bytes]:
    service: SessionService = request.app.state["sessions"]
    service.readiness.in_flight += 1
    try:
        _require_ours(request, service.internal_token)
        call = msgspec.json.decode(await request.body(), type=Call)
        with span(f"session {name}", parent=request.headers.get(TRACEPARENT, "")):
            result = await work(service, call)
    except Exception as error:
        answer = problem_answer(error)
        log = get_logger()
        if answer.status == 500:  # noqa: PLR2004 - a bug
            log.error("operation_failed", operation=name, exc_info=error)
        else:
            log.info("operation_refused", operation=name, status=answer.status, reason=str(error))
        return Response(
            answer.body,
            status_code=answer.status,
            headers=answer.headers,
            media_type=answer.media_type,
        )
    finally:
        service.readiness.in_flight -= 1
    return Response(msgspec.json.encode(result), media_type=MediaType.JSON)


def _require_ours(request: Request[Any, Any, Any], token: Secret) -> None:
    shown = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(shown.encode(), token.reveal().encode()):
        raise UnauthenticatedError("Only the cluster's own services may call this.")
