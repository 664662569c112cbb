"""The asynchronous client of the management API, typed by the declarations.

    async with ApiClient("https://wopi.example.org", "gwk_…") as client:
        created = await client.call(SESSIONS_CREATE, SessionCreate(...))
        listed = await client.sessions.list(state="active")

`call` takes any declaration of `genro_wopi.management.catalog` and returns its response type; the
groups are the same operations by name.
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from genro_wopi.client.calls import (
    TIMEOUT_S,
    ApiError,
    RequestT,
    ResponseT,
    authorization,
    prepare,
    require_success,
    result,
)
from genro_wopi.client.names import Named
from genro_wopi.management.operation import Operation
from genro_wopi.protocol.decimals import parse_decimal

__all__ = ["ApiClient", "ApiError"]


class ApiClient(Named):
    """One connection to a host, for the operator or a tenant's application."""

    def __init__(self, url: str, token: str) -> None:
        headers = authorization(token)
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S)
        super().__init__(self.call)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def call(
        self,
        operation: Operation[RequestT, ResponseT],
        request: RequestT,
        body: bytes | AsyncIterable[bytes] = b"",
    ) -> ResponseT:
        """Carry out an operation.

        Args:
            operation: its declaration.
            request: its parameters.
            body: the document of an upload; chunks are streamed.

        Raises:
            ApiError: the host refused.
            httpx.HTTPError: it cannot be reached.
        """
        call = prepare(operation, request)
        answer = await self._http.request(
            call.method, call.path, params=call.query, json=call.json, content=body or None
        )
        return result(operation, answer)

    @asynccontextmanager
    async def download(
        self, operation: Operation[RequestT, Any], request: RequestT
    ) -> AsyncGenerator[tuple[int | None, AsyncIterator[bytes]]]:
        """Read a document in chunks, and how long it is where that is known.

        Raises:
            ApiError: the host refused.
            httpx.HTTPError: it cannot be reached.
        """
        call = prepare(operation, request)
        async with self._http.stream(call.method, call.path, params=call.query) as answer:
            if not answer.is_success:
                await answer.aread()
            require_success(answer)
            length = answer.headers.get("content-length", "")
            yield parse_decimal(length), answer.aiter_bytes()
