"""Logs as events with fields. Secrets cannot reach them: redaction is by type and by pattern."""

import atexit
import logging
import re
import sys
import threading
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec
import structlog

from genro_wopi.domain.secrets import Secret

TOGETHER_S: Final = 0.1
"""Lines that come faster are written together: a write for each costs more than its request."""

_LINE_END: Final = "\n"
_TRACEBACK: Final = "exception"
"""The field that structlog writes a traceback into."""

_SUSPICIOUS: Final = ("=", "eyj", "gwk_", "whsec_", "://", "bearer", "basic")
"""What every pattern below begins with or holds, in small letters; most lines have none of it."""

VALUE_LENGTH_MAX: Final = 16 * 1024
"""Characters of one value; what is longer is cut before it is searched, so that no header, name or
answer from outside keeps a process busy, or fills the log."""

_TOKEN_IN_QUERY: Final = re.compile(
    r"(access_token|code|secret|password)=[^&\s\"']+", re.IGNORECASE
)
_JWT: Final = re.compile(r"\beyJ[\w-]{8,}(\.[\w-]+)*")
_API_KEY: Final = re.compile(r"\b(gwk|whsec)_[\w.+/=-]{8,}")
_BEARER: Final = re.compile(r"(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_URL_PASSWORD: Final = re.compile(r"(://[^/\s:@]*):[^/\s@]+@")


def redact(value: str) -> str:
    """Blot out whatever looks like a credential; what is too long is cut."""
    if len(value) > VALUE_LENGTH_MAX:
        value = f"{value[:VALUE_LENGTH_MAX]}… ({len(value)} characters)"
    return _blotted(value) if _is_suspicious(value) else value


def _ending(traceback: str) -> str:
    """Keep the last lines of a traceback, where the error is."""
    if len(traceback) <= VALUE_LENGTH_MAX:
        return traceback
    last = traceback[-VALUE_LENGTH_MAX:]
    return f"…{last[last.find(_LINE_END) :]}" if _LINE_END in last else traceback


def _blotted(value: str) -> str:
    value = _TOKEN_IN_QUERY.sub(r"\1=***", value)
    value = _JWT.sub("***", value)
    value = _API_KEY.sub("***", value)
    value = _BEARER.sub(r"\1 ***", value)
    return _URL_PASSWORD.sub(r"\1:***@", value)


def _is_suspicious(value: str) -> bool:
    lowered = value.lower()
    return any(mark in lowered for mark in _SUSPICIOUS)


def _redact_event(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, Secret):
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = redact(_ending(value) if key == _TRACEBACK else value)
        elif _is_suspicious(shown := repr(value)):
            event[key] = redact(shown)
    return event


class Sample:
    """Picks one in so many of what would fill the log."""

    def __init__(self, one_in: int) -> None:
        self._one_in = one_in
        self._left_out = 0

    def takes(self) -> bool:
        """Tell whether this one is it."""
        self._left_out += 1
        if self._left_out < self._one_in:
            return False
        self._left_out = 0
        return True


class LineLogger:
    """Writes lines to a stream: at once where it is quiet, those of a busy moment together.

    Errors are written at once with all that came before. A process that is killed loses what it
    would have written in a tenth of a second.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: list[str] = []
        self._wrote_s = 0.0
        self._timer: threading.Timer | None = None
        self._lock = threading.RLock()
        atexit.register(self.flush)

    def msg(self, line: str) -> None:
        """Write a line, now or soon."""
        with self._lock:
            self._waiting.append(line)
            if self._timer is not None:
                return
            if time.monotonic() - self._wrote_s >= TOGETHER_S:
                self.flush()
                return
            self._timer = threading.Timer(TOGETHER_S, self.flush)
            self._timer.daemon = True
            self._timer.start()

    def urgent(self, line: str) -> None:
        """Write a line, and all that waits, now."""
        with self._lock:
            self._waiting.append(line)
            self.flush()

    def flush(self) -> None:
        """Write all that waits."""
        with self._lock:
            lines, self._waiting = self._waiting, []
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._wrote_s = time.monotonic()
            if lines:
                self._stream.write("\n".join([*lines, ""]))
                self._stream.flush()

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = urgent


def _shown(value: object) -> str:
    return redact(repr(value))


def _redacted_json(logger: object, method: str, event: MutableMapping[str, Any]) -> str:
    """Encode an event; its fields are looked at one by one only where the whole is suspicious."""
    line = msgspec.json.encode(event, enc_hook=_shown).decode()
    if len(line) <= VALUE_LENGTH_MAX and not _is_suspicious(line):
        return line
    return msgspec.json.encode(_redact_event(logger, method, event), enc_hook=_shown).decode()


def configure_logs(*, service: str, log_format: str, level: str) -> None:
    """Set up logging for a process; call it once, before anything logs."""

    def named(
        _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    console = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=24)
    rendering: list[structlog.typing.Processor] = (
        [named, _redacted_json] if log_format == "json" else [_redact_event, console]
    )
    lines = LineLogger(sys.stdout)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *rendering,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(name)s %(message)s")


_logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return the process's logger."""
    return _logger


def place_of(error: BaseException) -> str:
    """Say where in the code an error was raised, without what it was raised about."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return ""
    return f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}"
