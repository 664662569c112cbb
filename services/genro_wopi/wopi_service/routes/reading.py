"""What every route is, and reads of a request."""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import unquote

from genro_wopi.domain.identifiers import FileId
from genro_wopi.protocol import headers as names
from genro_wopi.protocol.decimals import parse_decimal
from genro_wopi.protocol.headers import is_true
from genro_wopi.protocol.proof import ProofHeaders
from genro_wopi.wopi_service.exchange import Exchange, Reply
from genro_wopi.wopi_service.operations.admission import EditorRequest
from genro_wopi.wopi_service.operations.put_relative import Target
from genro_wopi.wopi_service.service import WopiService

Handler = Callable[[WopiService, Exchange, FileId], Awaitable[Reply]]
"""Answers one request for one file or container."""

CONTAINERS: Final = "/wopi/containers/"

BODY_PAUSE_S: Final = 30.0
"""A sender that pauses longer than this in the middle of a body is gone."""


def editor_request(exchange: Exchange, file_id: FileId | None) -> EditorRequest:
    """Return who asks, for which file, and the proof."""
    headers, query = exchange.headers, exchange.query
    return EditorRequest(
        file_id=file_id,
        token=shown_token(exchange),
        target=f"{exchange.path}?{query}" if query else exchange.path,
        proof=ProofHeaders(
            proof=headers.get("x-wopi-proof", ""),
            proof_old=headers.get("x-wopi-proofold", ""),
            ticks=headers.get("x-wopi-timestamp", ""),
        ),
        is_container=exchange.path.startswith(CONTAINERS),
        request_id=headers.get("x-request-id", "") or headers.get("x-wopi-timestamp", ""),
    )


def header(exchange: Exchange, name: str) -> str | None:
    """Return a header by the name that the reference writes."""
    return exchange.headers.get(name.lower())


def number(value: str | None) -> int | None:
    """Read a number; None where there is none."""
    return parse_decimal(value)


def target(exchange: Exchange) -> Target:
    """Read how a new file or container is to be called."""
    return Target(
        suggested=header(exchange, names.SUGGESTED_TARGET),
        relative=header(exchange, names.RELATIVE_TARGET),
        overwrite=is_true(header(exchange, names.OVERWRITE_TARGET)),
    )


def shown_token(exchange: Exchange) -> str:
    """Return the query's token, since Collabora may cut the header's; empty for none."""
    for pair in exchange.query.split("&"):
        name, _, value = pair.partition("=")
        if name == "access_token" and value:
            return unquote(value)
    scheme, _, token = exchange.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
