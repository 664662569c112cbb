"""`Idempotency-Key`: a request that is sent twice is carried out once."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from litestar import MediaType, Response

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import (
    ConflictError,
    FieldError,
    InvalidFieldsError,
    InvalidRequestError,
    UnavailableError,
)
from genro_wopi.domain.idempotency import KEY_LENGTH_MAX, KeptAnswer
from genro_wopi.domain.secrets import Sealed, Secret
from genro_wopi.gateway.routes.service import GatewayService
from genro_wopi.management.operation import Content, Operation
from genro_wopi.runtime.logs import get_logger

HEADER: Final = "idempotency-key"
_SUCCESS: Final = range(200, 300)


def takes_key(operation: Operation[Any, Any]) -> bool:
    """Tell whether an operation is carried out once per key: POSTs without a document."""
    return operation.method == "POST" and operation.content is Content.JSON


async def once(
    service: GatewayService,
    operation: Operation[Any, Any],
    caller: Caller,
    parameters: msgspec.Struct,
    key: str,
    carry_out: Callable[[], Awaitable[Response[Any]]],
) -> Response[Any]:
    """Carry an operation out, or answer what the same request was answered before.

    Raises:
        InvalidRequestError: the key is too long or not printable.
        InvalidFieldsError: the key came with another request before.
        ConflictError: the first request is still under way.
    """
    if len(key) > KEY_LENGTH_MAX or not key.isprintable() or not key.isascii():
        raise InvalidRequestError(
            f"Idempotency-Key: use at most {KEY_LENGTH_MAX} printable ASCII characters."
        )
    scope, kept = caller.tenant_id or "", service.office.answers
    asked = operation.name.encode() + b"\0" + msgspec.json.encode(parameters)
    fingerprint = hashlib.sha256(asked).hexdigest()
    known = await kept.begin(scope, key, fingerprint)
    if known is not None:
        return _again(service, known, fingerprint, context=_context(scope, key))
    try:
        answer = await carry_out()
    except Exception:
        await _tried(kept.forget(scope, key))
        raise
    if answer.status_code not in _SUCCESS:
        await _tried(kept.forget(scope, key))
        return answer
    body = Secret(_text(answer.content))
    sealed = service.office.ring.seal(body, context=_context(scope, key))
    record = KeptAnswer(
        fingerprint=fingerprint, status=answer.status_code or 200, sealed_body=sealed
    )
    await _tried(kept.keep(scope, key, record))
    return answer


def _again(
    service: GatewayService, known: KeptAnswer, fingerprint: str, *, context: str
) -> Response[Any]:
    if known.fingerprint != fingerprint:
        problem = "it came with another request before; use a new one for each request"
        raise InvalidFieldsError((FieldError("Idempotency-Key", problem),))
    if not known.status:
        raise ConflictError("The first request with this Idempotency-Key is still under way.")
    body = service.office.ring.open(Sealed(known.sealed_body), context=context).reveal()
    return Response(
        body.encode(),
        status_code=known.status,
        media_type=MediaType.JSON,
        headers={"Idempotent-Replayed": "true"},
    )


async def _tried(work: Awaitable[None]) -> None:
    """Do what can be left out: the operation itself is over."""
    try:
        await work
    except UnavailableError as error:
        get_logger().warning("answer_not_kept", reason=str(error))


def _context(scope: str, key: str) -> str:
    return f"{scope}/idempotency/{key}"


def _text(content: object) -> str:
    return content.decode() if isinstance(content, bytes) else str(content or "")
