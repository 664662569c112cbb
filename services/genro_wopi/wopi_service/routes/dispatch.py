"""Finds the handler of a WOPI request, and makes its answer.

Each answer is made in one place (`WopiRoutes.__call__`), which turns an error into the status that
a WOPI client understands, and has what happened written down.
"""

import time
from collections.abc import Mapping
from typing import Final

from litestar.types import HTTPScope, Receive, Send

from genro_wopi.adapters.tracing import TRACEPARENT, span
from genro_wopi.domain.doctor import ECHO_PATH
from genro_wopi.domain.errors import (
    HostError,
    InvalidRequestError,
    NotFoundError,
    UnsupportedOperationError,
)
from genro_wopi.domain.identifiers import FILE_ID, FileId
from genro_wopi.protocol import headers as names
from genro_wopi.web.errors import wopi_answer
from genro_wopi.wopi_service.exchange import Exchange, Reply
from genro_wopi.wopi_service.routes import containers, doctor, ecosystem, files
from genro_wopi.wopi_service.routes.journal import Answered, Journal
from genro_wopi.wopi_service.routes.reading import Handler
from genro_wopi.wopi_service.service import WopiService

Routes = Mapping[tuple[str, str], tuple[str, Handler]]

BOOTSTRAPPER: Final = "/wopibootstrapper"

_BY_ID: Final[dict[str, tuple[Routes, Mapping[str, Handler]]]] = {
    "files": (files.ROUTES, files.OVERRIDES),
    "containers": (containers.ROUTES, containers.OVERRIDES),
}
"""Handlers of what has an id: by method and what follows it, and by X-WOPI-Override."""


class WopiRoutes:
    """The ASGI application for everything under /wopi, and the bootstrapper."""

    def __init__(self, service: WopiService) -> None:
        self._service = service
        self._journal = Journal(service)

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        service, exchange = self._service, Exchange(scope, receive)
        started_s = time.perf_counter()
        operation, handler, file_id = _match(exchange)
        service.readiness.in_flight += 1
        try:
            failure = None
            with span(f"wopi {operation}", parent=exchange.headers.get(TRACEPARENT, "")) as step:
                try:
                    reply = await handler(service, exchange, file_id)
                except Exception as error:  # noqa: BLE001 - the top of every request: it answers
                    reply, failure = _refused(error), error
                step.set(status=reply.status, file_id=file_id)
            seconds = time.perf_counter() - started_s
            self._journal.note(
                exchange, Answered(operation, file_id, reply.status, seconds, failure)
            )
            await reply.send(send)
        finally:
            service.readiness.in_flight -= 1


def _match(exchange: Exchange) -> tuple[str, Handler, FileId]:
    """Find operation, handler and file of an address."""
    parts = exchange.path.split("/", 4)
    if exchange.path == BOOTSTRAPPER:
        return _named(ecosystem.BOOTSTRAPPER_ROUTES.get((exchange.method, "")), FileId(""))
    if len(parts) > 2 and parts[2] == "ecosystem":  # noqa: PLR2004 - /wopi/ecosystem
        rest = "/".join(parts[3:])
        return _named(ecosystem.ROUTES.get((exchange.method, rest)), FileId(""))
    if exchange.path.startswith(f"{ECHO_PATH}/"):
        return "doctor", doctor.echo, FileId("")
    if len(parts) < 4 or parts[2] not in _BY_ID or not FILE_ID.fullmatch(parts[3]):  # noqa: PLR2004 - /wopi/files/ID
        return "unknown", _no_such_address, FileId("")
    routes, overrides = _BY_ID[parts[2]]
    rest = "/".join(parts[4:])
    if (exchange.method, rest) == ("POST", ""):
        return *_overridden(exchange, overrides), FileId(parts[3])
    return _named(routes.get((exchange.method, rest)), FileId(parts[3]))


def _named(route: tuple[str, Handler] | None, file_id: FileId) -> tuple[str, Handler, FileId]:
    operation, handler = route or ("unknown", _no_such_address)
    return operation, handler, file_id


def _overridden(exchange: Exchange, overrides: Mapping[str, Handler]) -> tuple[str, Handler]:
    override = exchange.headers.get(names.OVERRIDE.lower(), "")
    if override in overrides:
        return override.lower(), overrides[override]
    if not override:
        return "unknown", _refusing(InvalidRequestError("Send the header X-WOPI-Override."))
    unsupported = UnsupportedOperationError(f"{override!r} is not an operation of this address.")
    return "unknown", _refusing(unsupported)


def _refusing(error: HostError) -> Handler:
    async def refuse(_service: WopiService, _exchange: Exchange, _file_id: FileId) -> Reply:
        raise error

    return refuse


_no_such_address: Final = _refusing(NotFoundError("There is no such address."))


def _refused(error: Exception) -> Reply:
    answer = wopi_answer(error)
    headers = {**answer.headers, "Content-Type": answer.media_type}
    return Reply(status=answer.status, headers=headers, body=answer.body)
