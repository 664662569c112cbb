"""The tracer of `genro_wopi.adapters.tracing`, made with OpenTelemetry's SDK."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from genro_wopi.adapters.tracing import TRACEPARENT, Span, SpanScope, Value

_PROPAGATOR = TraceContextTextMapPropagator()


def start(service: str) -> "OpenTelemetryTracer":
    """Make the tracer of a process; exporter, sampler and limits follow ``OTEL_*``."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return OpenTelemetryTracer(provider)


class OpenTelemetryTracer:
    """Implements `Tracer`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("genro_wopi")

    def span(self, name: str, parent: str, attributes: Mapping[str, Value]) -> SpanScope:
        """See Tracer."""
        return self._span(name, parent, attributes)

    def traceparent(self) -> str:
        """See Tracer."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier.get(TRACEPARENT, "")

    def shutdown(self) -> None:
        """See Tracer."""
        self._provider.shutdown()

    @contextmanager
    def _span(self, name: str, parent: str, attributes: Mapping[str, Value]) -> Generator[Span]:
        context = _PROPAGATOR.extract({TRACEPARENT: parent}) if parent else None
        with self._tracer.start_as_current_span(
            name,
            context,
            attributes=attributes,
            record_exception=False,  # its message and stack are for the log, which redacts
            set_status_on_exception=False,
        ) as inner:
            try:
                yield _OpenTelemetrySpan(inner)
            except Exception as error:
                inner.set_status(trace.StatusCode.ERROR, type(error).__name__)
                raise


class _OpenTelemetrySpan:
    def __init__(self, inner: trace.Span) -> None:
        self._inner = inner

    def set(self, **attributes: Value) -> None:
        self._inner.set_attributes(attributes)
