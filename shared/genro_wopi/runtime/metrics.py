"""Every metric, declared once. No tenant, file, session or token is ever a label."""

from functools import lru_cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, start_http_server

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)

WOPI_REQUESTS: Final = Counter(
    "wopi_requests_total",
    "WOPI requests by operation and status.",
    ("operation", "status"),
)
WOPI_SECONDS: Final = Histogram(
    "wopi_request_duration_seconds",
    "Time to answer, by operation.",
    ("operation",),
    buckets=_BUCKETS,
)
WOPI_BYTES: Final = Counter(
    "wopi_bytes_total", "Bytes of documents received and sent.", ("direction",)
)
SAVES_IN_FLIGHT: Final = Gauge("wopi_saves_in_flight", "Saves being received or committed.")
PROOF_FAILURES: Final = Counter(
    "wopi_proof_failures_total", "Requests whose proof was refused, by reason.", ("reason",)
)
RESCUED: Final = Counter("wopi_saves_rescued_total", "Refused saves kept as recovery copies.")
API_REQUESTS: Final = Counter(
    "wopi_api_requests_total",
    "Management requests by operation and status.",
    ("operation", "status"),
)
API_SECONDS: Final = Histogram(
    "wopi_api_request_duration_seconds",
    "Time to answer, by operation.",
    ("operation",),
    buckets=_BUCKETS,
)
FORWARDED: Final = Counter(
    "wopi_gateway_forwarded_total", "Requests forwarded by the gateway, by outcome.", ("outcome",)
)
UPKEEP_REMOVED: Final = Counter(
    "wopi_upkeep_removed_total", "What was removed because its time was over.", ("what",)
)
EVENTS: Final = Counter(
    "wopi_events_total", "Deliveries of events by outcome.", ("event", "outcome")
)
EVENT_LAG: Final = Histogram(
    "wopi_event_lag_seconds", "From the event to its first delivery.", buckets=_BUCKETS
)

REDIS_SECONDS: Final = Histogram(
    "wopi_redis_round_trip_seconds", "Round trips to Redis that were answered.", buckets=_BUCKETS
)
REDIS_FAILURES: Final = Counter(
    "wopi_redis_failures_total", "Round trips to Redis that failed, by kind of failure.", ("kind",)
)
SESSIONS: Final = Gauge("wopi_sessions", "Sessions that have not ended, of the whole cluster.")
DEAD_LETTERS: Final = Gauge("wopi_event_dead_letters", "Events that were given up and are kept.")
EVENT_BACKLOG: Final = Gauge("wopi_event_backlog", "Events that wait for their delivery.")
EVENT_BACKLOGS_FULL: Final = Gauge(
    "wopi_event_backlogs_full", "Tenants of which too many events wait; new ones are dead letters."
)


@lru_cache(maxsize=256)
def _wopi_children(operation: str, status: int) -> tuple[Counter, Histogram]:
    """Look the labelled metrics up once; operations and statuses are few."""
    return WOPI_REQUESTS.labels(operation, str(status)), WOPI_SECONDS.labels(operation)


def count_wopi_request(operation: str, status: int, seconds: float) -> None:
    """Count one WOPI request and its time."""
    counter, histogram = _wopi_children(operation, status)
    counter.inc()
    histogram.observe(seconds)


def observe_redis(seconds: float, failure: str | None) -> None:
    """Count one round trip; `failure` names what went wrong, None where nothing did."""
    if failure is None:
        REDIS_SECONDS.observe(seconds)
    else:
        REDIS_FAILURES.labels(failure).inc()


def serve_metrics(host: str, port: int) -> None:
    """Serve /metrics on a port of its own; 0 serves nothing."""
    if port:
        start_http_server(port, addr=host)
