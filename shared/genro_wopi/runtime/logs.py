"""Logs as events with fields. Secrets cannot reach them: redaction is by type and by pattern."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from genro_wopi.domain.secrets import Secret

_TOKEN_IN_QUERY: Final = re.compile(
    r"(access_token|code|secret|password)=[^&\s\"']+", re.IGNORECASE
)
_JWT: Final = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]+")
_API_KEY: Final = re.compile(r"\b(gwk|whsec)_[\w.+/=-]{8,}")
_BEARER: Final = re.compile(r"(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_URL_PASSWORD: Final = re.compile(r"(://[^/\s:@]*):[^/\s@]+@")


def redact(value: str) -> str:
    """Blot out whatever looks like a credential."""
    value = _TOKEN_IN_QUERY.sub(r"\1=***", value)
    value = _JWT.sub("***", value)
    value = _API_KEY.sub("***", value)
    value = _BEARER.sub(r"\1 ***", value)
    return _URL_PASSWORD.sub(r"\1:***@", value)


def _redact_event(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, Secret):
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = redact(value)
    return event


def configure_logs(*, service: str, log_format: str, level: str) -> None:
    """Set up logging for a process; call it once, before anything logs."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    is_json = log_format == "json"
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if is_json
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=24)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    if is_json:
        structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(name)s %(message)s")


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return the process's logger."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
