"""What is written down of each WOPI request: metrics, a log line, its session's timeline.

What changes something and what fails always has its line. Editors ask and refresh all the time:
of what only reads and succeeds, one in ``WOPI_LOG_SAMPLE`` has one, and each that was slow.
"""

from typing import Any, Final

import msgspec

from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.errors import ProofRefusedError, UnauthenticatedError
from genro_wopi.domain.identifiers import FileId, tenant_name
from genro_wopi.domain.timeline import TimelineEntry
from genro_wopi.runtime import metrics
from genro_wopi.runtime.logs import Sample, get_logger, redact
from genro_wopi.wopi_service.exchange import Exchange
from genro_wopi.wopi_service.routes.reading import shown_token
from genro_wopi.wopi_service.service import WopiService

NO_EDITOR: Final = "none"
"""What is counted as the kind of editor where no valid token was shown."""

REASON_LENGTH_MAX: Final = 500
_SUCCESS: Final = range(200, 400)
_INTERNAL_ERROR: Final = 500
_OUTAGES: Final = frozenset({503, 507})

_FREQUENT: Final = frozenset(
    {
        "check_file_info",
        "get_file",
        "refresh_lock",
        "get_lock",
        "put_user_info",
        "check_container_info",
        "enumerate_children",
        "enumerate_ancestors",
        "check_ecosystem",
    }
)
"""Operations that are sampled; they change nothing that anybody would look for in a log."""


class Answered(msgspec.Struct, frozen=True):
    """One request, as it was answered."""

    operation: str
    file_id: FileId
    status: int
    seconds: float
    failure: Exception | None


class Journal:
    """Writes requests down."""

    def __init__(self, service: WopiService) -> None:
        self._service = service
        self._sample = Sample(service.log_sample)

    def note(self, exchange: Exchange, answered: Answered) -> None:
        """Write one request down, before its answer is sent."""
        claims = self._claims(exchange)
        editor = claims.editor_kind if claims else ""
        metrics.count_wopi_request(
            answered.operation, answered.status, answered.seconds, editor=editor or NO_EDITOR
        )
        if isinstance(answered.failure, ProofRefusedError):
            metrics.PROOF_FAILURES.labels(answered.failure.kind).inc()
        if claims is not None:
            self._service.timeline.note(
                claims.session_id,
                TimelineEntry(
                    at_us=self._service.host.clock.now_us(),
                    what=answered.operation,
                    status=answered.status,
                    duration_ms=int(answered.seconds * 1000),
                    reason=_reason(answered),
                    recovery_id=getattr(answered.failure, "recovery_id", ""),
                ),
            )
        self._log(exchange, answered, claims)

    def _claims(self, exchange: Exchange) -> AccessClaims | None:
        try:
            return self._service.host.tokens.verify(shown_token(exchange))
        except UnauthenticatedError:
            return None

    def _log(self, exchange: Exchange, answered: Answered, claims: AccessClaims | None) -> None:
        log, status = get_logger(), answered.status
        if status == _INTERNAL_ERROR:
            log.error(
                "wopi_failed", **_fields(exchange, answered, claims), exc_info=answered.failure
            )
        elif status in _OUTAGES:
            log.error("wopi_failed", **_fields(exchange, answered, claims))
        elif status not in _SUCCESS:
            log.info("wopi_refused", **_fields(exchange, answered, claims))
        elif answered.seconds >= self._service.slow_request_seconds:
            log.warning("wopi_slow", **_fields(exchange, answered, claims))
        elif answered.operation not in _FREQUENT or self._sample.takes():
            log.info("wopi_answered", **_fields(exchange, answered, claims))


def _fields(exchange: Exchange, answered: Answered, claims: AccessClaims | None) -> dict[str, Any]:
    headers = exchange.headers
    fields: dict[str, Any] = {
        "operation": answered.operation,
        "status": answered.status,
        "duration_ms": round(answered.seconds * 1000, 1),
        "tenant": tenant_name(claims.tenant_id) if claims else "",
        "file_id": answered.file_id,
        "session_id": claims.session_id if claims else "",
        "request_id": headers.get("x-request-id", ""),
        "correlation_id": headers.get("x-wopi-correlationid", ""),
        "wopi_session_id": headers.get("x-wopi-sessionid", ""),
        "reason": _reason(answered),
    }
    return {name: value for name, value in fields.items() if value != ""}


def _reason(answered: Answered) -> str:
    """Say in words what was wrong; it may repeat what was sent, even a token in a wrong header."""
    return "" if answered.failure is None else redact(str(answered.failure))[:REASON_LENGTH_MAX]
