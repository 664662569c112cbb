"""One HTTP exchange as the WOPI routes see it: a request's raw parts, and an answer to send.

WOPI has a handful of addresses and hundreds of requests per second, and its proofs are over the raw
address: routes read the ASGI scope themselves, since going through the framework costs as much as
all that CheckFileInfo does. Everything else that the service serves goes through Litestar.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import msgspec
from litestar.types import HTTPReceiveMessage, HTTPScope, Receive, Send

from genro_wopi.domain.errors import InvalidRequestError
from genro_wopi.web.streaming import SEND_TIMEOUT_S


class Exchange:
    """A request on its way in."""

    __slots__ = ("_is_read", "_receive", "headers", "method", "path", "query")

    def __init__(self, scope: HTTPScope, receive: Receive) -> None:
        self._receive = receive
        self._is_read = False
        self.method = str(scope["method"])
        self.path = scope["raw_path"].decode("latin-1")
        self.query = scope["query_string"].decode("latin-1")
        self.headers = {
            k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]
        }

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives.

        Raises:
            InvalidRequestError: the client went away in the middle.
        """
        while not self._is_read:
            message = await self._receive()
            if message["type"] != "http.request":
                raise InvalidRequestError("The connection ended in the middle of the body.")
            self._is_read = not _has_more(message)
            if message["body"]:
                yield message["body"]

    async def read(self, *, bytes_max: int) -> bytes:
        """Return a small body whole.

        Raises:
            InvalidRequestError: it is longer, or stopped arriving.
        """
        received = bytearray()
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                async for chunk in self.body():
                    received += chunk
                    if len(received) > bytes_max:
                        raise InvalidRequestError(f"Send at most {bytes_max} bytes.")
        except TimeoutError as error:
            raise InvalidRequestError("The body stopped arriving.") from error
        return bytes(received)

    async def discard(self) -> None:
        """Read a body that does not matter, however long, as long as it keeps arriving.

        Raises:
            InvalidRequestError: it stopped arriving.
        """
        chunks = aiter(self.body())
        while True:
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await anext(chunks)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise InvalidRequestError("The body stopped arriving.") from error


def _has_more(message: HTTPReceiveMessage) -> bool:
    return message["type"] == "http.request" and message["more_body"]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: bytes, or chunks with the source that they come from."""

    status: int = 200
    headers: dict[str, str]
    body: bytes = b""
    chunks: AsyncIterator[bytes] | None = None
    source: AsyncExitStack | None = None

    async def send(self, send: Send) -> None:
        """Send it, and close its source whatever happens to the client."""
        pairs = [(k.lower().encode(), v.encode("latin-1")) for k, v in self.headers.items()]
        if self.chunks is None or self.source is None:
            pairs.append(_length(len(self.body)))
            await send({"type": "http.response.start", "status": self.status, "headers": pairs})
            await send({"type": "http.response.body", "body": self.body, "more_body": False})
            return
        async with self.source:
            await send({"type": "http.response.start", "status": self.status, "headers": pairs})
            async for chunk in self.chunks:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _length(size_bytes: int) -> tuple[bytes, bytes]:
    return (b"content-length", str(size_bytes).encode())


JSON: Final = {"Content-Type": "application/json"}
TEXT: Final = {"Content-Type": "text/plain"}


def json_reply(answer: object) -> Reply:
    """Answer 200 with JSON."""
    return Reply(headers=JSON, body=msgspec.json.encode(answer))
