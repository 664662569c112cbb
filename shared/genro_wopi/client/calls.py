"""From a declaration to an HTTP request, and from its answer to the declared response.

What the asynchronous and the synchronous client share.
"""

import re
from typing import Any, Final, TypeVar, cast
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

    def __init__(self, status: int, detail: str, fields: tuple[tuple[str, str], ...] = ()) -> None:
        named = "".join(f"\n  {field}: {problem}" for field, problem in fields)
        super().__init__(f"{status}: {detail}{named}")
        self.status = status
        self.detail = detail
        self.fields = fields
        """Wrong fields and what is wrong with each."""


class Call(msgspec.Struct, frozen=True):
    """One request, ready to be sent."""

    method: str
    path: str
    query: dict[str, Any] | None
    json: dict[str, Any] | None


def prepare(operation: Operation[Any, Any], request: msgspec.Struct) -> Call:
    """Write a request as its operation wants it."""
    values = cast("dict[str, Any]", msgspec.to_builtins(request))
    named = set(_PARAMETER.findall(operation.path))
    path = _PARAMETER.sub(lambda m: quote(str(values[m[1]]), safe=""), operation.path)
    rest = {k: v for k, v in values.items() if k not in named}
    if operation.reads_query:
        query = {k: _as_text(v) for k, v in rest.items() if v is not None}
        return Call(operation.method, path, query, None)
    return Call(operation.method, path, None, _said(request, rest))


def _said(request: msgspec.Struct, values: dict[str, Any]) -> dict[str, Any]:
    """Leave out nulls that only are a default; one that can be cleared is said."""
    defaults = {f.encode_name: f.default for f in msgspec.structs.fields(request)}
    return {k: v for k, v in values.items() if v is not None or defaults[k] is msgspec.UNSET}


def _as_text(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def result(operation: Operation[RequestT, ResponseT], answer: httpx.Response) -> ResponseT:
    """Read the answer to a request.

    Raises:
        ApiError: the host refused.
    """
    require_success(answer)
    if operation.content is Content.DOWNLOAD:
        return cast("ResponseT", answer.content)
    content = answer.content if operation.response is not Nothing else b"{}"
    return msgspec.json.decode(content, type=operation.response)


def require_success(answer: httpx.Response) -> None:
    """Check that the host did what it was asked; the answer's body was read.

    Raises:
        ApiError: the host refused.
    """
    if answer.is_success:
        return
    try:
        problem = answer.json()
        detail = str(problem["detail"])
        fields = tuple((e["field"], e["problem"]) for e in problem.get("errors", ()))
    except (ValueError, KeyError, TypeError):
        detail, fields = answer.text[:200] or answer.reason_phrase, ()
    raise ApiError(answer.status_code, detail, fields)


def authorization(token: str) -> dict[str, str]:
    """Return the headers that show who calls."""
    return {"Authorization": f"Bearer {token}"}
