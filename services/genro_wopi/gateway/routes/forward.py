"""Forwards requests to services behind the gateway, byte for byte.

Path, query and headers stay exactly as they came: a proof is over the address as it was called, and
an empty ``X-WOPI-Lock`` must survive.

While no replica can be reached a request waits, saves and locks first: an editor that is answered
503 when it closes gives up what was typed. Its body is received meanwhile. What a dying replica did
not answer is sent to another one:

* what carries no body: all of it that WOPI has is safe to run twice by its request id;
* what was not sent whole: nothing is acted on before its last byte;
* a save that says when it was sent: the commit knows a repeat by session, moment and bytes, and
  answers it as the first (`judgement.is_repeated`). Without that moment a repeat would look like a
  second save over a head that the editor has not seen, and be a conflict that nobody made.
"""

import asyncio
import uuid
from collections.abc import Sequence
from itertools import count
from typing import Final

import h11
from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from genro_wopi.adapters.spool import Spool
from genro_wopi.gateway.forwarding.replayable_body import ClientGoneError, ReplayableBody
from genro_wopi.gateway.forwarding.turns import FullError, Turns, Urgency, WaitingRoom
from genro_wopi.gateway.forwarding.upstream import (
    Answer,
    BrokenError,
    Connection,
    RawHeaders,
    Request,
    UnreachedError,
    Upstream,
)
from genro_wopi.protocol.headers import Override
from genro_wopi.runtime import metrics
from genro_wopi.runtime.logs import get_logger
from genro_wopi.web.client_address import Network, client_address
from genro_wopi.web.server import Readiness
from genro_wopi.web.streaming import SEND_TIMEOUT_S

EXCHANGES_MAX: Final = 1024
"""Exchanges with replicas at once; one client address has at most half of them."""

WAITING_MAX: Final = 2048
BEFORE_CONNECTING_BYTES: Final = 64 * 1024
"""So much of a body, or all of it, must be here before it takes a connection to a replica."""

KNOCK_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4)
"""Between two looks whether a replica is back; the last one repeats."""

TRIES_MAX: Final = 64
REPEAT_PAUSE_S: Final = 0.2
"""Between two tries, but for the second: a replica that is dying may still accept connections."""

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

_SAVES_AND_LOCKS: Final = frozenset(
    name.value.encode()
    for name in (
        Override.LOCK,
        Override.UNLOCK,
        Override.REFRESH_LOCK,
        Override.PUT,
        Override.PUT_RELATIVE,
        Override.RENAME_FILE,
    )
)


class UnavailableError(Exception):
    """No replica answered in time; the message says why."""


class CutShortError(Exception):
    """An answer broke in its middle: all that is left is to break the client's connection too."""


class Forwarder:
    """Forwards to one group of equal upstreams, taking them in turn.

    Args:
        upstreams: their addresses.
        readiness: counts what is in flight.
        spool: keeps bodies that do not fit into memory.
        patience_s: how long a request waits for a replica.
        trusted_proxies: whose word counts on who the client is.
    """

    def __init__(
        self,
        upstreams: Sequence[str],
        readiness: Readiness,
        spool: Spool,
        *,
        patience_s: float,
        trusted_proxies: Sequence[Network] = (),
    ) -> None:
        self._trusted_proxies = trusted_proxies
        self._upstreams = [Upstream(url) for url in upstreams]
        self._next = count()
        self._readiness = readiness
        self._spool = spool
        self._patience_s = patience_s
        self._turns = Turns(EXCHANGES_MAX, WAITING_MAX)
        self._room = WaitingRoom(WAITING_MAX)
        self._knocking: asyncio.Task[None] | None = None

    async def aclose(self) -> None:
        """Close connections."""
        if self._knocking is not None:
            self._knocking.cancel()
            await asyncio.wait((self._knocking,))
        for upstream in self._upstreams:
            upstream.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request."""
        self._readiness.in_flight += 1
        address = client_address(scope, self._trusted_proxies)
        body = ReplayableBody(scope, receive, self._spool, address)
        try:
            await self._forward(_Asked(scope, body, address), send)
        except ClientGoneError:
            metrics.FORWARDED.labels("client gone").inc()
        except UnavailableError as error:
            metrics.FORWARDED.labels("failed").inc()
            get_logger().warning("forward_failed", path=scope["path"], reason=str(error))
            await _answer(send, 503, b"No replica answered; nothing was changed. Try again.")
        except CutShortError:
            metrics.FORWARDED.labels("cut short").inc()
            raise
        except h11.LocalProtocolError:
            await _answer(send, 400, b"The request is no HTTP that can be forwarded.")
        else:
            metrics.FORWARDED.labels("answered").inc()
        finally:
            self._readiness.in_flight -= 1
            await body.discard()

    async def _forward(self, asked: "_Asked", send: Send) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._patience_s
        await asked.body.fill(BEFORE_CONNECTING_BYTES)
        for number in count():
            await self._enter(asked, deadline_s)
            try:
                if await self._exchange(asked, send):
                    return
            except BrokenError as error:
                is_over = number >= len(self._upstreams) and loop.time() > deadline_s
                if is_over or number > TRIES_MAX or not asked.may_repeat(error):
                    raise UnavailableError(str(error)) from error
            finally:
                self._turns.give_back(asked.address)
            if number:
                await asyncio.sleep(REPEAT_PAUSE_S)

    async def _enter(self, asked: "_Asked", deadline_s: float) -> None:
        """Wait until a replica can be reached and it is this one's turn; the turn is taken.

        Raises:
            UnavailableError: that was not in time, or too many wait.
            ClientGoneError: the client did not wait.
        """
        if self._room.is_shut or not self._turns.take_now(asked.address):
            await self._patiently(asked, deadline_s)

    async def _exchange(self, asked: "_Asked", send: Send) -> bool:
        """Ask any replica and pass its answer on; False where none can be reached.

        Raises:
            BrokenError: it did not answer; the client was sent nothing.
        """
        found = await self._connection(may_reuse=asked.is_repeatable)
        if found is None:
            self._shut()
            return False
        upstream, connection = found
        try:
            chunks = asked.body.chunks() if asked.body.exists else None
            answer = await connection.ask(asked.request, chunks)
            await _pass_on(connection, answer, send)
        except BaseException:
            connection.close()
            raise
        upstream.give_back(connection, asyncio.get_running_loop().time())
        return True

    async def _connection(self, *, may_reuse: bool) -> tuple[Upstream, Connection] | None:
        """Return a connection to the next replica that can be reached; None where none can.

        A connection that is open already may be closed by the replica in the same moment: what
        could not be repeated then has a new one.
        """
        now_s = asyncio.get_running_loop().time()
        for _ in self._upstreams:
            upstream = self._upstreams[next(self._next) % len(self._upstreams)]
            connection = upstream.idle(now_s) if may_reuse else None
            if connection is not None:
                return upstream, connection
            try:
                return upstream, await upstream.connect()
            except UnreachedError:
                continue
        return None

    async def _take_turn(self, asked: "_Asked") -> None:
        while self._room.is_shut:
            await self._room.wait(asked.urgency)
        await self._turns.take(asked.address, asked.urgency)

    async def _patiently(self, asked: "_Asked", deadline_s: float) -> None:
        """Wait for a turn as long as the client does; its body is received meanwhile."""
        turn = asyncio.ensure_future(self._take_turn(asked))
        presence = asyncio.ensure_future(asked.present())
        timeout_s = max(0.0, deadline_s - asyncio.get_running_loop().time())
        is_taken = False
        try:
            await asyncio.wait(
                (turn, presence), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if presence.done():
                presence.result()
            if not turn.done():
                raise UnavailableError(f"no replica within {self._patience_s:g} s")
            turn.result()
            is_taken = True
        except FullError as error:
            raise UnavailableError("too many requests wait for a replica") from error
        finally:
            presence.cancel()
            if not turn.cancel() and not is_taken and turn.exception() is None:
                self._turns.give_back(asked.address)
            await asyncio.gather(turn, presence, return_exceptions=True)

    def _shut(self) -> None:
        self._room.shut()
        if self._knocking is None or self._knocking.done():
            self._knocking = asyncio.create_task(self._knock())

    async def _knock(self) -> None:
        """Look whether a replica is back, and open the door."""
        failures = 0
        while self._room.is_shut:
            await asyncio.sleep(KNOCK_PAUSES_S[min(failures, len(KNOCK_PAUSES_S) - 1)])
            upstream = self._upstreams[next(self._next) % len(self._upstreams)]
            try:
                connection = await upstream.connect()
            except UnreachedError:
                failures += 1
            else:
                upstream.give_back(connection, asyncio.get_running_loop().time())
                self._room.open()


class _Asked:
    """One request of a client."""

    def __init__(self, scope: Scope, body: ReplayableBody, address: str) -> None:
        headers = {k.lower(): v for k, v in scope["headers"]}
        method = str(scope["method"])  # pyright: ignore[reportGeneralTypeIssues, reportUnknownArgumentType] - HTTP scopes have one
        query = scope["query_string"]
        self.body = body
        self.address = address
        self.request = Request(
            method=method.encode(),
            target=scope["raw_path"] + (b"?" + query if query else b""),
            headers=_request_headers(scope, is_chunked=body.is_chunked),
        )
        override = headers.get(b"x-wopi-override", b"")
        is_content = method == "POST" and scope["raw_path"].endswith(b"/contents")
        is_urgent = is_content or override in _SAVES_AND_LOCKS
        self.urgency = Urgency.SAVE if is_urgent else Urgency.OTHER
        is_dated_save = is_content and b"x-wopi-timestamp" in headers
        self.is_repeatable = not body.exists or is_dated_save
        """Whether it may run twice."""

    async def present(self) -> None:
        """Receive the body as far as it can be kept; return only by raising.

        Raises:
            ClientGoneError: the client went away.
        """
        await self.body.fill()
        await self.body.gone()

    def may_repeat(self, broken: BrokenError) -> bool:
        """Tell whether the request may be sent again; see the module."""
        is_safe = self.is_repeatable or not broken.whole_request_sent
        return is_safe and self.body.is_replayable


def _request_headers(scope: Scope, *, is_chunked: bool) -> RawHeaders:
    headers = [(k, v) for k, v in scope["headers"] if k.lower() not in _NOT_SENT]
    client = scope["client"]
    if client:
        said = [v for k, v in headers if k.lower() == b"x-forwarded-for"]
        headers = [(k, v) for k, v in headers if k.lower() != b"x-forwarded-for"]
        headers.append((b"x-forwarded-for", b", ".join([*said, client[0].encode()])))
    original_host = next((v for k, v in scope["headers"] if k.lower() == b"host"), b"")
    names = {k.lower() for k, _ in headers}
    if b"x-request-id" not in names:
        headers.append((b"x-request-id", uuid.uuid4().hex.encode()))
    if is_chunked:
        headers.append((b"transfer-encoding", b"chunked"))
    return [(b"host", original_host or b"localhost"), *headers]


async def _pass_on(connection: Connection, answer: Answer, send: Send) -> None:
    """Send an answer to the client as it comes; what breaks here breaks the client's connection."""
    passed = [(k.lower(), v) for k, v in answer.headers if k.lower() not in _HOP_BY_HOP]
    await send({"type": "http.response.start", "status": answer.status, "headers": passed})
    try:
        async for chunk in connection.chunks():
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except (OSError, h11.RemoteProtocolError) as error:
        raise CutShortError from error
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 503:  # noqa: PLR2004 - Service Unavailable
        headers.append((b"retry-after", b"2"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def forward_route(prefix: str, forwarder: Forwarder) -> ASGIRouteHandler:
    """Mount a forwarder at a path."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await forwarder(scope, receive, send)

    return asgi(prefix, is_mount=True, copy_scope=False)(handle)
