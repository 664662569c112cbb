"""The addresses of files."""

from typing import Final

import msgspec

from genro_wopi.domain.errors import (
    HostError,
    InvalidRequestError,
    UnsupportedOperationError,
)
from genro_wopi.domain.identifiers import FileId
from genro_wopi.protocol import headers as names
from genro_wopi.protocol.proof import parse_ticks
from genro_wopi.protocol.put_file import parse_put_file_headers
from genro_wopi.protocol.times import format_us
from genro_wopi.runtime import metrics
from genro_wopi.runtime.logs import get_logger
from genro_wopi.wopi_service.exchange import JSON, TEXT, Exchange, Reply, json_reply
from genro_wopi.wopi_service.operations import people
from genro_wopi.wopi_service.operations.check_file_info import answer_check_file_info
from genro_wopi.wopi_service.operations.containers import ancestors
from genro_wopi.wopi_service.operations.get_file import etag, open_file
from genro_wopi.wopi_service.operations.locks import LockHeaders, change_lock
from genro_wopi.wopi_service.operations.put_relative import NewFile, admit_copy, store_copy
from genro_wopi.wopi_service.operations.receive_save import Incoming, put_file
from genro_wopi.wopi_service.operations.rename import delete_file, rename_file
from genro_wopi.wopi_service.routes.ecosystem import ecosystem_pointer
from genro_wopi.wopi_service.routes.reading import (
    BODY_PAUSE_S,
    Handler,
    editor_request,
    header,
    number,
    target,
)
from genro_wopi.wopi_service.service import WopiService

ACTIVITIES_BYTES_MAX: Final = 256 * 1024
USER_INFO_BYTES_MAX: Final = 64 * 1024
"""Read at most, to answer in words; what is kept is far shorter."""

_BINARY: Final = "application/octet-stream"


async def _check_file_info(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    info = await answer_check_file_info(service.host, editor_request(exchange, file_id))
    return json_reply(info)


async def _get_file(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    content = await open_file(
        service.host,
        editor_request(exchange, file_id),
        expected_bytes_max=number(header(exchange, names.MAX_EXPECTED_SIZE)),
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
        raise UnsupportedOperationError("Send X-WOPI-Override: PUT with a document's body.")
    put_headers = parse_put_file_headers(exchange.headers)
    length = number(exchange.headers.get("content-length"))
    announced = length if length is not None else put_headers.size_bytes
    if put_headers.size_bytes is not None and announced != put_headers.size_bytes:
        raise InvalidRequestError("X-WOPI-Size and Content-Length differ.")
    incoming = Incoming(
        request=editor_request(exchange, file_id),
        lock=header(exchange, names.LOCK),
        headers=put_headers,
        receive=lambda tenant_id: service.spool.receive(
            exchange.body(),
            holder=tenant_id,
            announced_bytes=announced,
            size_bytes_max=service.file_bytes_max,
            chunk_timeout_s=BODY_PAUSE_S,
        ),
    )
    with metrics.SAVES_IN_FLIGHT.track_inprogress():
        try:
            saved = await put_file(service.host, service.unsettled, incoming)
        except HostError as refusal:
            metrics.RESCUED.inc(1 if refusal.recovery_id else 0)
            raise
    metrics.WOPI_BYTES.labels("received").inc(saved.head.size_bytes)
    get_logger().info(
        "save_committed",
        file_id=file_id,
        version=saved.head.version,
        size_bytes=saved.head.size_bytes,
        forced=saved.forced,
    )
    answer = {"LastModifiedTime": format_us(saved.head.last_modified_us)}
    return Reply(
        headers={**JSON, names.ITEM_VERSION: saved.head.version},
        body=msgspec.json.encode(answer),
    )


async def _change_lock(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    lock_headers = LockHeaders(
        override=exchange.headers.get(names.OVERRIDE.lower(), ""),
        lock=header(exchange, names.LOCK),
        old_lock=header(exchange, names.OLD_LOCK),
        attempt=parse_ticks(exchange.headers.get(names.TIMESTAMP.lower(), "")) or 0,
    )
    result = await change_lock(service.host, editor_request(exchange, file_id), lock_headers)
    answer = dict(TEXT)
    if result.held is not None:
        answer[names.LOCK] = result.held
    if result.version:
        answer[names.ITEM_VERSION] = result.version
    return Reply(headers=answer)


async def _put_relative(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    wanted = target(exchange)
    admission = await admit_copy(service.host, editor_request(exchange, file_id), wanted)
    length = number(exchange.headers.get("content-length"))
    async with service.spool.receive(
        exchange.body(),
        holder=admission.session.tenant_id,
        announced_bytes=length,
        size_bytes_max=service.file_bytes_max,
        chunk_timeout_s=BODY_PAUSE_S,
    ) as body:
        made = await store_copy(service.host, admission, wanted, body)
    return json_reply(new_file_answer(made))


def new_file_answer(made: NewFile) -> dict[str, str]:
    """Write what PutRelativeFile and CreateChildFile answer."""
    return {"Name": made.name, "Url": made.url, **made.host_urls}


async def _rename_file(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    request = editor_request(exchange, file_id)
    await exchange.discard()
    name = await rename_file(
        service.host,
        request,
        requested=header(exchange, names.REQUESTED_NAME) or "",
        lock=header(exchange, names.LOCK),
    )
    url = f"{service.host.src_url}/wopi/files/{file_id}?access_token={request.token}"
    return json_reply({"Name": name, "Url": url})


async def _delete_file(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    request = editor_request(exchange, file_id)
    await delete_file(service.host, request, lock=header(exchange, names.LOCK))
    return Reply(headers=TEXT)


async def _put_user_info(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    body = await exchange.read(bytes_max=USER_INFO_BYTES_MAX)
    await people.put_user_info(service.host, editor_request(exchange, file_id), body)
    return Reply(headers=TEXT)


async def _get_share_url(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    url = await people.get_share_url(
        service.host, editor_request(exchange, file_id), header(exchange, names.URL_TYPE) or ""
    )
    return json_reply({"ShareUrl": url})


async def _add_activities(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    body = await exchange.read(bytes_max=ACTIVITIES_BYTES_MAX)
    answers = await people.add_activities(service.host, editor_request(exchange, file_id), body)
    return json_reply({"ActivityResponses": answers})


async def _ancestry(service: WopiService, exchange: Exchange, file_id: FileId) -> Reply:
    found = await ancestors(service.host, editor_request(exchange, file_id))
    return json_reply({"AncestorsWithRootFirst": found})


ROUTES: Final[dict[tuple[str, str], tuple[str, Handler]]] = {
    ("GET", ""): ("check_file_info", _check_file_info),
    ("GET", "contents"): ("get_file", _get_file),
    ("POST", "contents"): ("put_file", _put_file),
    ("GET", "ancestry"): ("enumerate_ancestors", _ancestry),
    ("GET", "ecosystem_pointer"): ("get_ecosystem", ecosystem_pointer),
}
"""Handlers by method and what follows the file's id."""

OVERRIDES: Final[dict[str, Handler]] = {
    names.Override.LOCK: _change_lock,
    names.Override.UNLOCK: _change_lock,
    names.Override.REFRESH_LOCK: _change_lock,
    names.Override.GET_LOCK: _change_lock,
    names.Override.PUT_RELATIVE: _put_relative,
    names.Override.RENAME_FILE: _rename_file,
    names.Override.DELETE: _delete_file,
    names.Override.PUT_USER_INFO: _put_user_info,
    names.Override.GET_SHARE_URL: _get_share_url,
    names.Override.ADD_ACTIVITIES: _add_activities,
}
"""Handlers of ``POST /wopi/files/{file_id}`` by X-WOPI-Override; anything else is 501."""
