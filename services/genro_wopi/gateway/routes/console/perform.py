"""Carrying out an operation for a page: checked, audited, by whichever service it belongs to."""

from typing import Any, Final

import msgspec

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import HostError
from genro_wopi.gateway.routes.auditing import note
from genro_wopi.gateway.routes.handlers import HANDLERS
from genro_wopi.gateway.routes.service import GatewayService
from genro_wopi.management.catalog import OPERATIONS
from genro_wopi.management.decode import convert_request
from genro_wopi.management.operation import Operation, Owner, Upserted
from genro_wopi.web.errors import status_of

BY_NAME: Final[dict[str, Operation[Any, Any]]] = {o.name: o for o in OPERATIONS}
OPERATOR: Final = Caller(None)

_SUCCESS: Final = range(200, 300)


class RefusedError(HostError):
    """The operation was refused; the message says why."""


async def perform(service: GatewayService, name: str, **values: Any) -> Any:  # noqa: ANN401 - the operation's answer
    """Carry out an operation as the operator.

    Raises:
        HostError: it was refused.
    """
    operation = BY_NAME[name]
    given = {k: v for k, v in values.items() if v not in (None, "")}
    request = convert_request(given, operation.request, from_text=True)
    status, reason = operation.status, ""
    try:
        return await _carry_out(service, operation, request)
    except HostError as error:
        status, reason = status_of(error), str(error)
        raise
    finally:
        await note(service, operation, OPERATOR, request, status=status, reason=reason)


async def _carry_out(
    service: GatewayService, operation: Operation[Any, Any], request: msgspec.Struct
) -> Any:  # noqa: ANN401 - the operation's answer
    if operation.owner is Owner.SESSION_SERVICE:
        answer = await service.sessions.call(operation.name, OPERATOR, request)
        if answer.status not in _SUCCESS:
            problem = msgspec.json.decode(answer.body, type=dict[str, Any])
            raise RefusedError(str(problem.get("detail", answer.status)))
        return msgspec.json.decode(answer.body, type=operation.response)
    result = await HANDLERS[operation.name](service.office, OPERATOR, request)
    return result.value if isinstance(result, Upserted) else result  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
