"""Noting commands in the audit trail, from whichever face they came."""

from typing import Any

import msgspec

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import HostError
from genro_wopi.gateway.operations import audit
from genro_wopi.gateway.routes.service import GatewayService
from genro_wopi.management.operation import Operation
from genro_wopi.runtime.logs import get_logger


async def note(
    service: GatewayService,
    operation: Operation[Any, Any],
    caller: Caller,
    parameters: msgspec.Struct,
    *,
    status: int,
    reason: str,
) -> None:
    """Note a command. It has been carried out: it is answered in any case."""
    if not audit.is_audited(operation):
        return
    try:
        await audit.note_command(
            service.office, operation, caller, parameters, status=status, reason=reason
        )
    except HostError as error:
        get_logger().warning("command_not_audited", operation=operation.name, reason=str(error))
