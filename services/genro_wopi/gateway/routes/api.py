"""The management API: one route per declaration of the catalog."""

import re
import time
from typing import Any, Final, cast

import msgspec
from litestar import MediaType, Request, Response, route
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler

from genro_wopi.adapters.tracing import TRACEPARENT, span
from genro_wopi.domain.callers import Caller
from genro_wopi.gateway.operations import files
from genro_wopi.gateway.operations.authenticate import authenticate
from genro_wopi.gateway.routes import idempotency
from genro_wopi.gateway.routes.auditing import note
from genro_wopi.gateway.routes.handlers import HANDLERS
from genro_wopi.gateway.routes.journal import REQUEST_ID, Answered, request_id_of
from genro_wopi.gateway.routes.service import GatewayService
from genro_wopi.management.catalog import ALIASES, OPERATIONS
from genro_wopi.management.decode import convert_request, decode_json_object
from genro_wopi.management.operation import (
    Access,
    Content,
    Nothing,
    Operation,
    Owner,
    Upserted,
)
from genro_wopi.protocol.decimals import parse_decimal
from genro_wopi.web.errors import problem_answer
from genro_wopi.web.streaming import StreamResponse, body_chunks, read_body

ApiRequest = Request[None, None, State]

BODY_PAUSE_S: Final = 30.0
_NO_CONTENT: Final = 204

IF_REVISION: Final = "if_revision"
"""The parameter that `If-Match` becomes."""


def api_routes() -> list[HTTPRouteHandler]:
    """Build the routes of all operations and of the predecessor's aliases."""
    by_name = {operation.name: operation for operation in OPERATIONS}
    routes = [_route(o, o.path, [o.method]) for o in OPERATIONS]
    for path, name in ALIASES.items():
        methods = ["POST"] if by_name[name].method == "POST" else ["GET", "POST"]
        routes.append(_route(by_name[name], path, methods))
    return routes


def _route(operation: Operation[Any, Any], path: str, methods: list[str]) -> HTTPRouteHandler:
    async def handle(request: Request[Any, Any, Any]) -> Response[Any]:
        return await _answered(operation, request)

    return route(
        re.sub(r"{(\w+)}", r"{\1:str}", path),
        http_method=methods,  # pyright: ignore[reportArgumentType] - methods of the declaration
        status_code=200,
        request_max_body_size=None,
        name=f"{operation.name} {path}",
    )(handle)


async def _answered(operation: Operation[Any, Any], request: ApiRequest) -> Response[Any]:
    service: GatewayService = request.app.state["gateway"]
    request_id = request_id_of(request.headers.get(REQUEST_ID))
    started_s = time.perf_counter()
    service.readiness.in_flight += 1
    command = _Command()
    failure: Exception | None = None
    try:
        parent = request.headers.get(TRACEPARENT, "")
        with span(f"api {operation.name}", parent=parent) as step:
            try:
                answer = await _carry_out(service, operation, request, command)
            except Exception as error:  # noqa: BLE001 - the top of every request: it answers
                answer, failure = _refused(error), error
            status = answer.status_code or operation.status
            step.set(status=status)
        if command.caller is not None and command.parameters is not None:
            await note(
                service,
                operation,
                command.caller,
                command.parameters,
                status=status,
                reason="" if failure is None else str(failure),
            )
    finally:
        service.readiness.in_flight -= 1
    service.journal.note(
        Answered(
            operation=operation,
            request_id=request_id,
            caller=command.caller,
            status=status,
            seconds=time.perf_counter() - started_s,
            failure=failure,
        )
    )
    answer.headers[REQUEST_ID] = request_id
    return answer


class _Command:
    """Who calls, and what is asked, as far as a request came."""

    caller: Caller | None = None
    parameters: msgspec.Struct | None = None


async def _carry_out(
    service: GatewayService,
    operation: Operation[Any, Any],
    request: ApiRequest,
    command: _Command,
) -> Response[Any]:
    office = service.office
    caller = await authenticate(
        shown_token(request), service.admin_token, office.tenants, office.clock
    )
    office.rates.count(caller)
    if operation.access is Access.ADMIN:
        caller.require_admin()
    elif operation.scope != "any":
        caller.require_scope(operation.scope)
    parameters = await _parameters(operation, request)
    command.caller, command.parameters = caller, parameters
    if operation.content is Content.UPLOAD:
        return await _upload(service, operation, caller, parameters, request)
    if operation.content is Content.DOWNLOAD:
        return await _download(service, operation, caller, parameters, request)

    async def carry_out() -> Response[Any]:
        if operation.owner is Owner.SESSION_SERVICE:
            return await _sent_on(service, operation, caller, parameters)
        return _shown(operation, await HANDLERS[operation.name](office, caller, parameters))

    key = request.headers.get(idempotency.HEADER)
    if key and idempotency.takes_key(operation):
        return await idempotency.once(service, operation, caller, parameters, key, carry_out)
    return await carry_out()


async def _parameters(operation: Operation[Any, Any], request: ApiRequest) -> Any:  # noqa: ANN401 - the operation's request
    query = {k: v for k, v in request.query_params.items() if isinstance(v, str)}
    if operation.reads_query and (operation.content is Content.UPLOAD or request.method == "GET"):
        values: dict[str, Any] = dict(query)
    else:
        values = (
            decode_json_object(await read_body(request, bytes_max=operation.body_bytes_max)) | query
        )
    values |= {k: str(v) for k, v in request.path_params.items()}
    if "if-match" in request.headers and IF_REVISION in operation.request.__struct_fields__:
        values[IF_REVISION] = _revision(request.headers["if-match"])
    return convert_request(
        values, operation.request, from_text=operation.reads_query or bool(query)
    )


async def _sent_on(
    service: GatewayService,
    operation: Operation[Any, Any],
    caller: Caller,
    parameters: msgspec.Struct,
) -> Response[Any]:
    answer = await service.sessions.call(operation.name, caller, parameters)
    passed = {k: v for k, v in answer.headers.items() if k in {"retry-after", "www-authenticate"}}
    status = operation.status if answer.status == 200 else answer.status  # noqa: PLR2004 - OK
    media_type = answer.headers.get("content-type", "application/json")
    return Response(answer.body, status_code=status, headers=passed, media_type=media_type)


async def _upload(
    service: GatewayService,
    operation: Operation[Any, Any],
    caller: Caller,
    parameters: Any,  # noqa: ANN401 - the operation's request
    request: ApiRequest,
) -> Response[Any]:
    length = request.headers.get("content-length", "")
    conditions = files.UploadConditions(
        request.headers.get("if-match"), request.headers.get("if-none-match")
    )
    async with service.spool.receive(
        body_chunks(request),
        holder=caller.tenant_id or "",  # The operator has a share, too.
        announced_bytes=parse_decimal(length),
        size_bytes_max=service.file_bytes_max,
        chunk_timeout_s=BODY_PAUSE_S,
    ) as body:
        result = await files.upload_file(service.office, caller, parameters, body, conditions)
    return _shown(operation, result)


async def _download(
    service: GatewayService,
    operation: Operation[Any, Any],
    caller: Caller,
    parameters: Any,  # noqa: ANN401 - the operation's request
    request: ApiRequest,
) -> Response[Any]:
    byte_range = request.headers.get("range")
    open_download = HANDLERS[operation.name]
    download: files.Download = await open_download(service.office, caller, parameters, byte_range)
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
    }
    size_bytes = download.part.size_bytes if download.part else download.size_bytes
    if size_bytes is not None:
        headers |= {"Content-Length": str(size_bytes), "Accept-Ranges": "bytes"}
    if download.version:
        headers["ETag"] = f'"{download.version}"'
    if download.part:
        part = download.part
        headers["Content-Range"] = f"bytes {part.first}-{part.last}/{download.size_bytes}"
    status = 206 if download.part else 200
    return StreamResponse(download.chunks, download.source, status_code=status, headers=headers)


def _shown(operation: Operation[Any, Any], result: object) -> Response[Any]:
    if isinstance(result, Nothing):
        return Response(b"", status_code=_NO_CONTENT)
    status = operation.status
    if isinstance(result, Upserted):
        upserted = cast("Upserted[object]", result)
        status, result = (status if upserted.created else 200), upserted.value
    revision = getattr(result, "revision", None)
    headers = {} if revision is None else {"ETag": f'"{revision}"'}
    body = msgspec.json.encode(result)
    return Response(body, status_code=status, media_type=MediaType.JSON, headers=headers)


def _revision(header: str) -> int:
    """Read `If-Match`; what is no revision matches none."""
    text = header.strip().removeprefix("W/").strip('"')
    number = parse_decimal(text)
    return -1 if number is None else number


def shown_token(request: ApiRequest) -> str:
    """Return the token that a request shows, in either header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("x-api-token", "").strip()


def _refused(error: Exception) -> Response[Any]:
    answer = problem_answer(error)
    return Response(
        answer.body,
        status_code=answer.status,
        headers=answer.headers,
        media_type=answer.media_type,
    )
