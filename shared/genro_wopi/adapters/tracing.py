"""Traces with OpenTelemetry, from an editor's request to the storage and to the callback.

They need the extra ``genro-wopi[tracing]`` and are on where the environment says where to send
them (``OTEL_EXPORTER_OTLP_ENDPOINT``, and whatever else OpenTelemetry's exporter reads). Otherwise
a span is nothing, and costs nothing.

Spec: https://www.w3.org/TR/trace-context/
"""

import importlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

TRACEPARENT: Final = "traceparent"
"""The header, and the field of an event, that carries a trace on."""

ENDPOINT_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

Value = str | int | bool


class Span(Protocol):
    """One step of a trace, while it lasts."""

    def set(self, **attributes: Value) -> None:
        """Add what became known."""
        ...


SpanScope = AbstractContextManager[Span]


class Tracer(Protocol):
    """Makes spans; `genro_wopi.adapters.opentelemetry` has the real one."""

    def span(self, name: str, parent: str, attributes: Mapping[str, Value]) -> SpanScope:
        """Begin a step; see `span`."""
        ...

    def traceparent(self) -> str:
        """See `traceparent`."""
        ...

    def shutdown(self) -> None:
        """Send what has not been sent."""
        ...


class _NoSpan:
    def set(self, **attributes: Value) -> None:
        """Forget it."""


class _Process:
    """The tracer of this process; None where traces are off."""

    tracer: Tracer | None = None


_NOTHING: Final[SpanScope] = nullcontext(_NoSpan())


class TracingUnavailableError(Exception):
    """Traces are asked for, and cannot be made; the message says what to do."""


def start_tracing(service: str, environment: Mapping[str, str]) -> Callable[[], None]:
    """Turn traces on where the environment asks for them; call it once.

    Returns:
        What ends it, sending what has not been sent.

    Raises:
        TracingUnavailableError: they are asked for, but the extra is not installed.
    """
    if not any(environment.get(variable) for variable in ENDPOINT_VARIABLES):
        return lambda: None
    try:
        module = importlib.import_module("genro_wopi.adapters.opentelemetry")
    except ModuleNotFoundError as error:
        raise TracingUnavailableError(
            f"{ENDPOINT_VARIABLES[0]} is set, but {error.name} is not installed;"
            " install genro-wopi[tracing] or unset it"
        ) from error
    tracer: Tracer = module.start(service)
    _Process.tracer = tracer

    def end() -> None:
        _Process.tracer = None
        tracer.shutdown()

    return end


def span(name: str, *, parent: str = "", **attributes: Value) -> SpanScope:
    """Begin a step of the current trace, to be used with ``with``.

    Args:
        name: what is done, out of few: no id is in it.
        parent: the ``traceparent`` of a step elsewhere; the current step's where it is empty.
        attributes: what is known of it. No token, no secret.
    """
    tracer = _Process.tracer
    return _NOTHING if tracer is None else tracer.span(name, parent, attributes)


def traceparent() -> str:
    """Return the header that makes another process continue the current trace; empty for none."""
    tracer = _Process.tracer
    return "" if tracer is None else tracer.traceparent()
