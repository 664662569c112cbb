"""Documents in and out, in constant memory."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from genro_wopi.domain.errors import InvalidRequestError, TooLargeError
from genro_wopi.protocol.decimals import parse_decimal

SEND_TIMEOUT_S: Final = 120.0
"""A reader that takes nothing for two minutes is gone."""


class StreamResponse(Response[None]):
    """Sends chunks as they come and closes their source, whatever happens to the client."""

    def __init__(
        self,
        chunks: AsyncIterable[bytes],
        source: AsyncExitStack,
        *,
        status_code: int,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(None, status_code=status_code, headers=dict(headers))
        self._chunks = chunks
        self._source = source

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:  # noqa: ANN401 - litestar's interface
        """See litestar's Response."""
        headers = {k: str(v) for k, v in self.headers.items()}
        return _Streaming(self._chunks, self._source, self.status_code or 200, headers)


class _Streaming(ASGIResponse):
    def __init__(
        self,
        chunks: AsyncIterable[bytes],
        source: AsyncExitStack,
        status_code: int,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(status_code=status_code)
        self._pairs = tuple(headers.items())
        self._chunks = chunks
        self._source = source

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002 - ASGI's interface
        receive: Receive,  # noqa: ARG002 - ASGI's interface
        send: Send,
    ) -> None:
        """Send head and chunks."""
        async with self._source:
            pairs = [(k.lower().encode(), v.encode("latin-1")) for k, v in self._pairs]
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": pairs}
            )
            async for chunk in self._chunks:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def body_chunks(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    """Yield a request's body as it arrives.

    Raises:
        InvalidRequestError: the client went away in the middle.
    """
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except HTTPException as error:
        raise InvalidRequestError("The connection ended in the middle of the body.") from error


async def read_body(request: Request[Any, Any, Any], *, bytes_max: int) -> bytes:
    """Return a small body whole.

    Raises:
        TooLargeError: it is longer.
        InvalidRequestError: the client went away in the middle.
    """
    refusal = TooLargeError(f"The body is too long: send at most {bytes_max} bytes.")
    if (parse_decimal(request.headers.get("content-length")) or 0) > bytes_max:
        raise refusal
    received = bytearray()
    async for chunk in body_chunks(request):
        received += chunk
        if len(received) > bytes_max:
            raise refusal
    return bytes(received)
