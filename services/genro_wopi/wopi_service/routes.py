"""The WOPI endpoints: HTTP in, one operation, HTTP out.

Each answer is made in one place (`_answered`): it counts the request, writes its log line and turns
an error into the status that a WOPI client understands.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import State

from genro_wopi.domain.errors import InvalidRequestError
from genro_wopi.domain.identifiers import FileId
from genro_wopi.protocol import headers as names
from genro_wopi.protocol.proof import ProofHeaders, parse_ticks
from genro_wopi.protocol.put_file import parse_put_file_headers
from genro_wopi.protocol.times import format_us
from genro_wopi.runtime import metrics
from genro_wopi.runtime.logs import get_logger
from genro_wopi.web.errors import wopi_answer
from genro_wopi.web.streaming import StreamResponse, body_chunks, drain
from genro_wopi.wopi_service.operations.check_file_info import answer_check_file_info
from genro_wopi.wopi_service.operations.get_file import etag, open_file
from genro_wopi.wopi_service.operations.host import EditorRequest
from genro_wopi.wopi_service.operations.locks import LockHeaders, change_lock, parse_override
from genro_wopi.wopi_service.operations.put_file import admit_save, commit_save
from genro_wopi.wopi_service.service import WopiService

WopiHttpRequest = Request[None, None, State]
Handler = Callable[[WopiService, WopiHttpRequest, dict[str, str]], Awaitable[Response[Any]]]

BODY_PAUSE_S: Final = 30.0
"""A sender that pauses longer than this in the middle of a body is gone."""

_NO_BODY: Final = b""
_BINARY: Final = "application/octet-stream"


@get("/wopi/files/{file_id:str}")
async def check_file_info(request: WopiHttpRequest) -> Response[Any]:
    """CheckFileInfo."""
    return await _answered("check_file_info", request, _check_file_info)


@get("/wopi/files/{file_id:str}/contents")
async def get_file(request: WopiHttpRequest) -> Response[Any]:
    """GetFile."""
    return await _answered("get_file", request, _get_file)


@post("/wopi/files/{file_id:str}/contents", status_code=200, request_max_body_size=None)
async def put_file(request: WopiHttpRequest) -> Response[Any]:
    """PutFile."""
    return await _answered("put_file", request, _put_file)


@post("/wopi/files/{file_id:str}", status_code=200, request_max_body_size=None)
async def file_operation(request: WopiHttpRequest) -> Response[Any]:
    """Every other operation on a file, by X-WOPI-Override."""
    override = request.headers.get(names.OVERRIDE, "")
    operation = override.lower() if override in names.Override.__members__ else "unknown"
    return await _answered(operation, request, _file_operation)


ROUTES: Final = (check_file_info, get_file, put_file, file_operation)


async def _answered(operation: str, request: WopiHttpRequest, handler: Handler) -> Response[Any]:
    service: WopiService = request.app.state["wopi"]
    headers = {
        k.decode("latin-1").lower(): v.decode("latin-1") for k, v in request.scope["headers"]
    }
    started_s = time.perf_counter()
    service.readiness.in_flight += 1
    try:
        answer = await handler(service, request, headers)
    except Exception as error:  # noqa: BLE001 - the top of every request: it answers, logs, counts
        answer = _refused(error, operation, request, headers)
        if request.method == "POST":
            await drain(request)
    finally:
        service.readiness.in_flight -= 1
    seconds = time.perf_counter() - started_s
    metrics.count_wopi_request(operation, answer.status_code or 200, seconds)
    return answer


async def _check_file_info(
    service: WopiService, request: WopiHttpRequest, headers: dict[str, str]
) -> Response[Any]:
    info, _ = await answer_check_file_info(service.host, _editor_request(request, headers))
    return Response(msgspec.json.encode(info), media_type=MediaType.JSON)


async def _get_file(
    service: WopiService, request: WopiHttpRequest, headers: dict[str, str]
) -> Response[Any]:
    content = await open_file(
        service.host,
        _editor_request(request, headers),
        expected_bytes_max=_number(headers.get(names.MAX_EXPECTED_SIZE.lower())),
        byte_range=headers.get("range"),
        if_none_match=headers.get("if-none-match"),
    )
    answer = {
        names.ITEM_VERSION: content.head.version,
        "ETag": etag(content.head),
        "Content-Type": _BINARY,
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": "attachment",
        "Accept-Ranges": "bytes",
    }
    if content.is_unchanged:
        await content.source.aclose()
        return Response(_NO_BODY, status_code=304, headers=answer)
    answer["Content-Length"] = str(content.size_bytes)
    status_code = 200
    if content.part is not None:
        part = content.part
        answer["Content-Range"] = f"bytes {part.first}-{part.last}/{content.head.size_bytes}"
        status_code = 206
    metrics.WOPI_BYTES.labels("sent").inc(content.size_bytes)
    return StreamResponse(content.chunks, content.source, status_code=status_code, headers=answer)


async def _put_file(
    service: WopiService, request: WopiHttpRequest, headers: dict[str, str]
) -> Response[Any]:
    override = headers.get(names.OVERRIDE.lower())
    if override not in {None, "", "PUT"}:
        parse_override(override)
        raise InvalidRequestError("Send X-WOPI-Override: PUT with a document's body.")
    put_headers = parse_put_file_headers(headers)
    lock = headers.get(names.LOCK.lower())
    save = await admit_save(service.host, _editor_request(request, headers), lock, put_headers)
    length = _number(headers.get("content-length"))
    announced = length if length is not None else put_headers.size_bytes
    if put_headers.size_bytes is not None and announced != put_headers.size_bytes:
        raise InvalidRequestError("X-WOPI-Size and Content-Length differ.")
    with metrics.SAVES_IN_FLIGHT.track_inprogress():
        async with service.spool.receive(
            body_chunks(request),
            announced_bytes=announced,
            size_bytes_max=service.file_bytes_max,
            chunk_timeout_s=BODY_PAUSE_S,
        ) as body:
            saved = await commit_save(service.host, save, body)
    metrics.WOPI_BYTES.labels("received").inc(saved.head.size_bytes)
    get_logger().info(
        "save_committed",
        file_id=save.admission.file.file_id,
        version=saved.head.version,
        size_bytes=saved.head.size_bytes,
        forced=saved.forced,
    )
    answer = {"LastModifiedTime": format_us(saved.head.last_modified_us)}
    return Response(
        msgspec.json.encode(answer),
        media_type=MediaType.JSON,
        headers={names.ITEM_VERSION: saved.head.version},
    )


async def _file_operation(
    service: WopiService, request: WopiHttpRequest, headers: dict[str, str]
) -> Response[Any]:
    lock_headers = LockHeaders(
        override=headers.get(names.OVERRIDE.lower(), ""),
        lock=headers.get(names.LOCK.lower()),
        old_lock=headers.get(names.OLD_LOCK.lower()),
        attempt=parse_ticks(headers.get(names.TIMESTAMP.lower(), "")) or 0,
    )
    result = await change_lock(service.host, _editor_request(request, headers), lock_headers)
    answer: dict[str, str] = {}
    if result.held is not None:
        answer[names.LOCK] = result.held
    if result.version:
        answer[names.ITEM_VERSION] = result.version
    return Response(_NO_BODY, media_type=MediaType.TEXT, headers=answer)


def _editor_request(request: WopiHttpRequest, headers: dict[str, str]) -> EditorRequest:
    scope = request.scope
    query = scope["query_string"].decode("latin-1")
    path = scope["raw_path"].decode("latin-1")
    return EditorRequest(
        file_id=FileId(request.path_params["file_id"]),
        token=_token(query, headers.get("authorization", "")),
        target=f"{path}?{query}" if query else path,
        proof=ProofHeaders(
            proof=headers.get("x-wopi-proof", ""),
            proof_old=headers.get("x-wopi-proofold", ""),
            ticks=headers.get("x-wopi-timestamp", ""),
        ),
        request_id=headers.get("x-request-id", "") or headers.get("x-wopi-timestamp", ""),
    )


def _token(query: str, authorization: str) -> str:
    """Return the query's token, since Collabora may cut the header's."""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name == "access_token" and value:
            return unquote(value)
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isascii() and value.isdigit() else None


def _refused(
    error: Exception, operation: str, request: WopiHttpRequest, headers: dict[str, str]
) -> Response[Any]:
    answer = wopi_answer(error)
    log = get_logger()
    fields = {
        "operation": operation,
        "status": answer.status,
        "file_id": request.path_params.get("file_id"),
        "request_id": headers.get("x-request-id", ""),
        "correlation_id": headers.get("x-wopi-correlationid", ""),
        "reason": str(error),
    }
    if answer.status >= 500 and answer.status != 501:  # noqa: PLR2004 - faults of ours
        log.error("wopi_failed", **fields, exc_info=error if answer.status == 500 else None)  # noqa: PLR2004
    else:
        log.info("wopi_refused", **fields)
    return Response(
        answer.body,
        status_code=answer.status,
        headers=answer.headers,
        media_type=answer.media_type,
    )
