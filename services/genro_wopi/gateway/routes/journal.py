"""What is written down of each management request: metrics and a log line.

What changes something and what is refused always has its line; of what only reads and succeeds, one
in ``WOPI_LOG_SAMPLE`` has one, and each that was slow. Who did what is the audit trail's matter.
"""

import uuid
from typing import Any, Final

import msgspec

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.identifiers import tenant_name
from genro_wopi.gateway.operations.audit import is_audited
from genro_wopi.management.operation import Operation
from genro_wopi.runtime import metrics
from genro_wopi.runtime.logs import Sample, get_logger

REQUEST_ID: Final = "x-request-id"
REQUEST_ID_LENGTH_MAX: Final = 128

_SUCCESS: Final = range(200, 400)
_INTERNAL_ERROR: Final = 500


def request_id_of(shown: str | None) -> str:
    """Return the id that the ingress or the client gave a request, or a new one."""
    if shown and len(shown) <= REQUEST_ID_LENGTH_MAX and shown.isascii() and shown.isprintable():
        return shown
    return uuid.uuid4().hex


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as it was answered."""

    operation: Operation[Any, Any]
    request_id: str
    caller: Caller | None
    status: int
    seconds: float
    failure: Exception | None


class Journal:
    """Writes requests down."""

    def __init__(self, *, slow_request_seconds: float, log_sample: int) -> None:
        self._slow_request_seconds = slow_request_seconds
        self._sample = Sample(log_sample)

    def note(self, answered: Answered) -> None:
        """Write one request down."""
        name, log = answered.operation.name, get_logger()
        metrics.API_REQUESTS.labels(name, str(answered.status)).inc()
        metrics.API_SECONDS.labels(name).observe(answered.seconds)
        if answered.status == _INTERNAL_ERROR:
            log.error("api_failed", **_fields(answered), exc_info=answered.failure)
        elif answered.status not in _SUCCESS:
            log.info("api_refused", **_fields(answered))
        elif answered.seconds >= self._slow_request_seconds:
            log.warning("api_slow", **_fields(answered))
        elif is_audited(answered.operation) or self._sample.takes():
            log.info("api_answered", **_fields(answered))


def _fields(answered: Answered) -> dict[str, Any]:
    caller = answered.caller
    fields: dict[str, Any] = {
        "operation": answered.operation.name,
        "status": answered.status,
        "duration_ms": round(answered.seconds * 1000, 1),
        "tenant": tenant_name(caller.tenant_id or "") if caller else "",
        "request_id": answered.request_id,
        "reason": "" if answered.failure is None else str(answered.failure),
    }
    return {name: value for name, value in fields.items() if value != ""}
