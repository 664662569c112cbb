"""The client for programs without an event loop; see `genro_wopi.client.api`."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from genro_wopi.client.calls import (
    TIMEOUT_S,
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


class BlockingClient(Named):
    """One connection to a host; each call waits for its answer."""

    def __init__(self, url: str, token: str) -> None:
        headers = authorization(token)
        self._http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S)
        super().__init__(self.call)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def call(
        self,
        operation: Operation[RequestT, ResponseT],
        request: RequestT,
        body: bytes | Iterable[bytes] = b"",
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
        answer = self._http.request(
            call.method, call.path, params=call.query, json=call.json, content=body or None
        )
        return result(operation, answer)

    @contextmanager
    def download(
        self, operation: Operation[RequestT, Any], request: RequestT
    ) -> Generator[tuple[int | None, Iterator[bytes]]]:
        """Read a document in chunks, and how long it is where that is known.

        Raises:
            ApiError: the host refused.
            httpx.HTTPError: it cannot be reached.
        """
        call = prepare(operation, request)
        with self._http.stream(call.method, call.path, params=call.query) as answer:
            if not answer.is_success:
                answer.read()
            require_success(answer)
            length = answer.headers.get("content-length", "")
            yield parse_decimal(length), answer.iter_bytes()
