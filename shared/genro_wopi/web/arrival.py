"""What every service asks of its clients' bodies: that they keep coming, and leave room for others.

A body of one byte in ten seconds costs its sender nothing and holds a connection here. So a sender
may pause only so long, must send at a least rate after a grace, and one client address has at most
as many bodies on their way as it leaves free for others. Only the time in which the service waits
for the client counts: whoever is slow because the service is, is not cut off.

What is left of a body when its request was answered is read, within limits: a client that reads
only after all is sent would see a reset instead of the answer.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from litestar.types import HTTPScope, Message, Receive, ReceiveMessage, Scope, Send

from genro_wopi.domain.shares import Share
from genro_wopi.web.client_address import Network, client_address

BODIES_MAX: Final = 4096
"""Bodies on their way to one process; one client address has at most half of them."""

GRACE_S: Final = 10.0
"""A body may be slower than the least rate for so long."""

DRAINED_BYTES_MAX: Final = 64 * 1024 * 1024
DRAIN_TIMEOUT_S: Final = 10.0

_SLOW: Final = b"The body came too slowly; nothing was changed. Send it again."
_TOO_MANY: Final = b"Too many bodies from this address are on their way; try again."


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How a body must come."""

    pause_s: float
    """The longest pause."""
    bytes_per_s: float
    """The least rate after the grace, in the mean; 0: any."""
    grace_s: float = GRACE_S


class Arrival:
    """An ASGI application around another one."""

    def __init__(
        self,
        app: Callable[[Any, Any, Any], Awaitable[None]],
        pace: Pace,
        trusted_proxies: Sequence[Network] = (),
        *,
        bodies_max: int = BODIES_MAX,
    ) -> None:
        self._app = app
        self._pace = pace
        self._trusted = trusted_proxies
        self._share = Share(bodies_max)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        address = client_address(scope, self._trusted)
        if not self._share.may_take(address):
            await _refuse(send, _TOO_MANY)
            return
        self._share.take(address)
        body = _Arriving(receive, self._pace, lambda: self._share.give_back(address))
        answer = _Answer(send, body)
        try:
            await answer.of(self._app(scope, body.receive, answer.send))
            await body.drain()
        finally:
            body.end()


class _Arriving:
    """A body on its way; its place is given back when it is whole."""

    def __init__(self, receive: Receive, pace: Pace, give_back: Callable[[], None]) -> None:
        self._receive = receive
        self._pace = pace
        self._give_back = give_back
        self._size_bytes = 0
        self._waited_s = 0.0
        self.is_over = False
        """Whether all came, or the client went."""
        self.is_slow = False

    async def receive(self) -> ReceiveMessage:
        """Return the next message; a client that is too slow is taken for gone."""
        if self.is_slow:
            return {"type": "http.disconnect"}
        if self.is_over:
            return await self._receive()
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(self._allowed_s()):
                message = await self._receive()
        except TimeoutError:
            self.is_slow = True
            self.end()
            return {"type": "http.disconnect"}
        self._waited_s += time.monotonic() - began_s
        if message["type"] == "http.request":
            self._size_bytes += len(message["body"])
        if message["type"] != "http.request" or not message["more_body"]:
            self.end()
        return message

    def _allowed_s(self) -> float:
        """Return how long the next part may take."""
        if not self._pace.bytes_per_s:
            return self._pace.pause_s
        by_rate_s = self._pace.grace_s + self._size_bytes / self._pace.bytes_per_s
        return max(0.0, min(self._pace.pause_s, by_rate_s - self._waited_s))

    async def drain(self) -> None:
        """Read what is left, so that the client sees the answer and no reset."""
        drained = self._size_bytes + DRAINED_BYTES_MAX
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                while not self.is_over and self._size_bytes < drained:
                    await self.receive()
        except TimeoutError:
            return

    def end(self) -> None:
        """Give the place back, once."""
        if not self.is_over:
            self.is_over = True
            self._give_back()


class _Answer:
    """What the application answers; where its client was too slow it is told so instead."""

    def __init__(self, send: Send, body: _Arriving) -> None:
        self._send = send
        self._body = body
        self._is_started = False

    async def send(self, message: Message) -> None:
        if self._body.is_slow and not self._is_started:
            return
        self._is_started = True
        await self._send(message)

    async def of(self, application: Awaitable[None]) -> None:
        """Let the application answer."""
        try:
            await application
        except Exception:
            if not self._body.is_slow:
                raise
        if self._body.is_slow and not self._is_started:
            await _refuse(self._send, _SLOW)


async def _refuse(send: Send, body: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"2"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _has_body(scope: HTTPScope) -> bool:
    for name, value in scope["headers"]:
        lower = name.lower()
        if lower == b"transfer-encoding" or (lower == b"content-length" and value.strip() != b"0"):
            return True
    return False
