"""Forwards requests to services behind the gateway, byte for byte, streamed both ways.

An ingress does this better; where there is none, as in the local cluster, the gateway does. Path,
query and headers stay exactly as they came: a proof is over the address as it was called, and
an empty ``X-WOPI-Lock`` must survive. A request without a body that a dying replica did not answer
is sent to another one: all that WOPI sends without a body is safe to run twice by its request id.
"""

import itertools
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpcore
from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from genro_wopi.runtime import metrics
from genro_wopi.runtime.logs import get_logger
from genro_wopi.web.server import Readiness

TIMEOUTS: Final = {"connect": 2.0, "read": 60.0, "write": 60.0, "pool": 10.0}
CONNECTIONS_MAX: Final = 512

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_NOT_SENT: Final = _HOP_BY_HOP | {b"host", b"expect"}
_UNREACHED: Final = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout)
_BROKEN: Final = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)

RawHeaders = list[tuple[bytes, bytes]]


class ClientGoneError(Exception):
    """The client went away in the middle of its body."""


class Forwarder:
    """Forwards to one group of equal upstreams, taking them in turn."""

    def __init__(self, upstreams: Sequence[str], readiness: Readiness) -> None:
        self._upstreams = [urlsplit(url) for url in upstreams]
        self._next = itertools.count()
        self._readiness = readiness
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=CONNECTIONS_MAX, keepalive_expiry=20.0
        )

    async def aclose(self) -> None:
        """Close connections."""
        await self._pool.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request."""
        self._readiness.in_flight += 1
        try:
            await self._forward(scope, receive, send)
        finally:
            self._readiness.in_flight -= 1

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(scope, receive)
        headers = _request_headers(scope)
        tries = max(2, len(self._upstreams) + 1)
        for number in range(tries):
            upstream = self._upstreams[next(self._next) % len(self._upstreams)]
            sent = _Sent(send)
            try:
                await self._exchange(upstream, scope, headers, body, sent)
            except _UNREACHED:
                if body.started:
                    break
            except _BROKEN:
                if sent.started:
                    raise
                if body.exists or number == tries - 1:
                    break
            except ClientGoneError:
                return  # The client went away in the middle of its body.
            else:
                metrics.FORWARDED.labels("answered").inc()
                return
        metrics.FORWARDED.labels("failed").inc()
        get_logger().warning("forward_failed", path=scope["path"])
        await _unavailable(send)

    async def _exchange(
        self,
        upstream: SplitResult,
        scope: Scope,
        headers: RawHeaders,
        body: "_Body",
        sent: "_Sent",
    ) -> None:
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        url = httpcore.URL(
            scheme=upstream.scheme.encode(),
            host=(upstream.hostname or "").encode(),
            port=upstream.port,
            target=target,
        )
        async with self._pool.stream(
            str(scope["method"]),  # pyright: ignore[reportGeneralTypeIssues, reportUnknownArgumentType] - HTTP scopes have one
            url,
            headers=headers,
            content=aiter(body) if body.exists else None,
            extensions={"timeout": TIMEOUTS},
        ) as response:
            passed = [(k, v) for k, v in response.headers if k.lower() not in _HOP_BY_HOP]
            await sent.start(response.status, passed)
            async for chunk in response.aiter_stream():
                await sent.chunk(chunk)
            await sent.end()


class _Body:
    """The client's body as the upstream reads it; it can be read once."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        headers = {k.lower(): v for k, v in scope["headers"]}
        length = headers.get(b"content-length", b"")
        self.exists = b"transfer-encoding" in headers or length not in {b"", b"0"}
        self.started = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.started = True
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            if message["type"] == "http.request":
                if message["body"]:
                    yield message["body"]
                if not message["more_body"]:
                    return


class _Sent:
    """What the client was sent so far."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def start(self, status: int, headers: RawHeaders) -> None:
        self.started = True
        lower = [(k.lower(), v) for k, v in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": lower})

    async def chunk(self, chunk: bytes) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def forward_route(prefix: str, forwarder: Forwarder) -> ASGIRouteHandler:
    """Mount a forwarder at a path."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await forwarder(scope, receive, send)

    return asgi(prefix, is_mount=True, copy_scope=False)(handle)


def _request_headers(scope: Scope) -> RawHeaders:
    headers = [(k, v) for k, v in scope["headers"] if k.lower() not in _NOT_SENT]
    original_host = next((v for k, v in scope["headers"] if k.lower() == b"host"), b"")
    names = {k.lower() for k, _ in headers}
    if b"x-request-id" not in names:
        headers.append((b"x-request-id", uuid.uuid4().hex.encode()))
    if original_host:
        headers.append((b"host", original_host))
    return headers


async def _unavailable(send: Send) -> None:
    body = b"No replica answered; nothing was changed. Try again."
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"2"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
