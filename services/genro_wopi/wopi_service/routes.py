"""The WOPI endpoints: HTTP in, one operation, HTTP out.

Each answer is made in one place (`WopiRoutes.__call__`): it counts the request, writes its log line
and turns an error into the status that a WOPI client understands.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import unquote

import msgspec
from litestar.types import HTTPScope, Receive, Send

from genro_wopi.domain.errors import InvalidRequestError, NotFoundError
from genro_wopi.domain.identifiers import FILE_ID, FileId
from genro_wopi.protocol import headers as names
from genro_wopi.protocol.proof import ProofHeaders, parse_ticks
from genro_wopi.protocol.put_file import parse_put_file_headers
from genro_wopi.protocol.times import format_us
from genro_wopi.runtime import metrics
from genro_wopi.runtime.logs import get_logger
from genro_wopi.web.errors import wopi_answer
from genro_wopi.wopi_service.exchange import JSON, TEXT, Exchange, Reply
from genro_wopi.wopi_service.operations.check_file_info import answer_check_file_info
from genro_wopi.wopi_service.operations.get_file import etag, open_file
from genro_wopi.wopi_service.operations.host import EditorRequest
from genro_wopi.wopi_service.operations.locks import LockHeaders, change_lock, parse_override
from genro_wopi.wopi_service.operations.put_file import admit_save, commit_save
from genro_wopi.wopi_service.service import WopiService

Handler = Callable[[WopiService, Exchange, FileId], Awaitable[Reply]]

PREFIX: Final = "/wopi/files/"

BODY_PAUSE_S: Final = 30.0
"""A sender that pauses longer than this in the middle of a body is gone."""

_BINARY: Final = "application/octet-stream"


class WopiRoutes:
    """The ASGI application for everything under /wopi."""

    def __init__(self, service: WopiService) -> None:
        self._service = service

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        service, exchange = self._service, Exchange(scope, receive)
        started_s = time.perf_counter()
        operation, handler, file_id = _match(exchange)
        service.readiness.in_flight += 1
        try:
            try:
                reply = await handler(service, exchange, file_id)
            except Exception as error:  # noqa: BLE001 - the top of every request: it answers and logs
                reply = _refused(error, operation, exchange, file_id)
                if exchange.method == "POST":
                    await exchange.drain()
            seconds = time.perf_counter() - started_s
            metrics.count_wopi_request(operation, reply.status, seconds)
            await reply.send(send)
        finally:
            service.readiness.in_flight -= 1


def _match(exchange: Exchange) -> tuple[str, Handler, FileId]:
    """Find operation, handler and file of an address."""
    file_id, _, rest = exchange.path.removeprefix(PREFIX).partition("/")
    named = ROUTES.get((exchange.method, rest)) if exchange.path.startswith(PREFIX) else None
    if named is None or FILE_ID.fullmatch(file_id) is None:
        return "unknown", _no_such_address, FileId("")
    operation, handler = named
    if handler is _file_operation:
        override = exchange.headers.get(names.OVERRIDE.lower(), "")
        operation = override.lower() if override in names.Override.__members__ else "unknown"
    return operation, handler, FileId(file_id)


async def _no_such_address(_service: WopiService, _exchange: Exchange, _file_id: FileId) -> Reply:
    raise NotFoundError("There is no such address.")


async def _check_file_info(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    info, _ = await answer_check_file_info(service.host, _editor_request(exchange, file_id))
    return Reply(headers=JSON, body=msgspec.json.encode(info))


async def _get_file(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    content = await open_file(
        service.host,
        _editor_request(exchange, file_id),
        expected_bytes_max=_number(exchange.headers.get(names.MAX_EXPECTED_SIZE.lower())),
        byte_range=exchange.headers.get("range"),
        if_none_match=exchange.headers.get("if-none-match"),
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
        return Reply(status=304, headers=answer)
    answer["Content-Length"] = str(content.size_bytes)
    status = 200
    if content.part is not None:
        part = content.part
        answer["Content-Range"] = f"bytes {part.first}-{part.last}/{content.head.size_bytes}"
        status = 206
    metrics.WOPI_BYTES.labels("sent").inc(content.size_bytes)
    return Reply(status=status, headers=answer, chunks=content.chunks, source=content.source)


async def _put_file(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    override = exchange.headers.get(names.OVERRIDE.lower())
    if override not in {None, "", "PUT"}:
        parse_override(override)
        raise InvalidRequestError("Send X-WOPI-Override: PUT with a document's body.")
    put_headers = parse_put_file_headers(exchange.headers)
    lock = exchange.headers.get(names.LOCK.lower())
    save = await admit_save(service.host, _editor_request(exchange, file_id), lock, put_headers)
    length = _number(exchange.headers.get("content-length"))
    announced = length if length is not None else put_headers.size_bytes
    if put_headers.size_bytes is not None and announced != put_headers.size_bytes:
        raise InvalidRequestError("X-WOPI-Size and Content-Length differ.")
    with metrics.SAVES_IN_FLIGHT.track_inprogress():
        async with service.spool.receive(
            exchange.body(),
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
    return Reply(
        headers={**JSON, names.ITEM_VERSION: saved.head.version},
        body=msgspec.json.encode(answer),
    )


async def _file_operation(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    lock_headers = LockHeaders(
        override=exchange.headers.get(names.OVERRIDE.lower(), ""),
        lock=exchange.headers.get(names.LOCK.lower()),
        old_lock=exchange.headers.get(names.OLD_LOCK.lower()),
        attempt=parse_ticks(exchange.headers.get(names.TIMESTAMP.lower(), "")) or 0,
    )
    result = await change_lock(service.host, _editor_request(exchange, file_id), lock_headers)
    answer = dict(TEXT)
    if result.held is not None:
        answer[names.LOCK] = result.held
    if result.version:
        answer[names.ITEM_VERSION] = result.version
    return Reply(headers=answer)


def _editor_request(exchange: Exchange, file_id: FileId) -> EditorRequest:
    headers, query = exchange.headers, exchange.query
    return EditorRequest(
        file_id=file_id,
        token=_token(query, headers.get("authorization", "")),
        target=f"{exchange.path}?{query}" if query else exchange.path,
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


def _refused(error: Exception, operation: str, exchange: Exchange, file_id: FileId) -> Reply:
    answer = wopi_answer(error)
    log = get_logger()
    fields = {
        "operation": operation,
        "status": answer.status,
        "file_id": file_id,
        "request_id": exchange.headers.get("x-request-id", ""),
        "correlation_id": exchange.headers.get("x-wopi-correlationid", ""),
        "reason": str(error),
    }
    if answer.status == 500:  # noqa: PLR2004 - a refused proof, or a bug
        log.error("wopi_failed", **fields, exc_info=error)
    elif answer.status in {503, 507}:
        log.error("wopi_failed", **fields)
    else:
        log.info("wopi_refused", **fields)
    headers = {**answer.headers, "Content-Type": answer.media_type}
    return Reply(status=answer.status, headers=headers, body=answer.body)


ROUTES: Final[dict[tuple[str, str], tuple[str, Handler]]] = {
    ("GET", ""): ("check_file_info", _check_file_info),
    ("GET", "contents"): ("get_file", _get_file),
    ("POST", "contents"): ("put_file", _put_file),
    ("POST", ""): ("file_operation", _file_operation),
}
"""Handlers by method and what follows the file's id."""
