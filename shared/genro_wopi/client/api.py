"""Calls of the management API, typed by their declarations.

    async with ApiClient("https://wopi.example.org", "gwk_…") as client:
        created = await client.call(SESSIONS_CREATE, SessionCreate(...))

`call` takes any declaration of `genro_wopi.management.catalog` and returns its response type.
"""

import re
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast
from urllib.parse import quote

import httpx
import msgspec

from genro_wopi.management.operation import Content, Nothing, Operation

TIMEOUT_S: Final = 30.0
_PARAMETER: Final = re.compile(r"{(\w+)}")

RequestT = TypeVar("RequestT", bound=msgspec.Struct)
ResponseT = TypeVar("ResponseT")


class ApiError(Exception):
    """The host refused; `detail` says what to do."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


class ApiClient:
    """One connection to a host, for the operator or a tenant's application."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def call(
        self, operation: Operation[RequestT, ResponseT], request: RequestT, body: bytes = b""
    ) -> ResponseT:
        """Carry out an operation.

        Args:
            operation: its declaration.
            request: its parameters.
            body: the document of an upload.

        Raises:
            ApiError: the host refused.
        """
        values = cast("dict[str, Any]", msgspec.to_builtins(request))
        named = set(_PARAMETER.findall(operation.path))
        path = _PARAMETER.sub(lambda m: quote(str(values[m[1]]), safe=""), operation.path)
        rest = {k: v for k, v in values.items() if k not in named and v is not None}
        if operation.reads_query:
            answer = await self._http.request(
                operation.method, path, params=rest, content=body or None
            )
        else:
            answer = await self._http.request(operation.method, path, json=rest)
        if not answer.is_success:
            raise ApiError(answer.status_code, _detail(answer))
        if operation.content is Content.DOWNLOAD:
            return cast("ResponseT", answer.content)
        content = answer.content if operation.response is not Nothing else b"{}"
        return msgspec.json.decode(content, type=operation.response)


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
