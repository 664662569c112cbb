"""Every metric, declared once. No tenant, file, session or token is ever a label."""

from functools import lru_cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from genro_wopi.domain.storages import StorageProtocol
from genro_wopi.domain.unsettled_saves import Outcome
from genro_wopi.runtime.logs import get_logger, place_of

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)

WOPI_REQUESTS: Final = Counter(
    "wopi_requests_total",
    "WOPI requests by operation, status and kind of editor.",
    ("operation", "status", "editor"),
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
SPOOLED_BYTES: Final = Gauge(
    "wopi_spooled_bytes", "Bytes of saves that are being received or committed."
)
PROOF_FAILURES: Final = Counter(
    "wopi_proof_failures_total", "Requests whose proof was refused, by reason.", ("reason",)
)
RESCUED: Final = Counter("wopi_saves_rescued_total", "Refused saves kept as recovery copies.")
UNSETTLED: Final = Gauge(
    "wopi_unsettled_saves", "Saves that were received and wait until they can be stored."
)
UNSETTLED_BYTES: Final = Gauge("wopi_unsettled_bytes", "What they take of the spool's disk.")
UNSETTLED_OUTCOMES: Final = Counter(
    "wopi_unsettled_outcomes_total",
    "What became of them: stored, rescued, void, expired, or no_room to keep them.",
    ("outcome",),
)
OVER_SHARE: Final = Counter(
    "wopi_over_share_total",
    "Requests refused since their tenant has used up its share, by what is shared.",
    ("share",),
)
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
BACKGROUND_FAILURES: Final = Counter(
    "wopi_background_failures_total",
    "Pieces of background work that failed, each alone, by kind of work.",
    ("what",),
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
STORAGE_SECONDS: Final = Histogram(
    "wopi_storage_seconds",
    "Calls of storages, by back end and operation; of a read, until its first byte.",
    ("protocol", "operation"),
    buckets=_BUCKETS,
)
STORAGE_FAILURES: Final = Counter(
    "wopi_storage_failures_total",
    "Calls that a storage did not answer as it should.",
    ("protocol", "operation"),
)
STORAGE_CIRCUITS_OPEN: Final = Gauge(
    "wopi_storage_circuits_open",
    "Storages that this process leaves alone since they keep failing, by back end.",
    ("protocol",),
)
STORAGE_BAD_RECORDS: Final = Counter(
    "wopi_storage_bad_records_total",
    "Records and names in storages that were passed over: not readable, or another tenant's.",
    ("protocol", "kind"),
)
STORAGE_ODD_ANSWERS: Final = Counter(
    "wopi_storage_odd_answers_total",
    "Answers of storages that their back end does not understand; each is one 503.",
    ("protocol", "operation"),
)
STORAGES: Final = Gauge(
    "wopi_storages",
    "Storages by back end and by what their probe found: A, B, none, or unknown.",
    ("protocol", "conformance"),
)
SESSIONS: Final = Gauge("wopi_sessions", "Sessions that have not ended, of the whole cluster.")
DEAD_LETTERS: Final = Gauge("wopi_event_dead_letters", "Events that were given up and are kept.")
EVENT_BACKLOG: Final = Gauge("wopi_event_backlog", "Events that wait for their delivery.")
EVENT_BACKLOGS_FULL: Final = Gauge(
    "wopi_event_backlogs_full", "Tenants of which too many events wait; new ones are dead letters."
)


@lru_cache(maxsize=1024)
def _wopi_children(operation: str, status: int, editor: str) -> tuple[Counter, Histogram]:
    """Look the labelled metrics up once; operations, statuses and kinds are few."""
    counter = WOPI_REQUESTS.labels(operation, str(status), editor)
    return counter, WOPI_SECONDS.labels(operation)


def count_wopi_request(operation: str, status: int, seconds: float, *, editor: str) -> None:
    """Count one WOPI request and its time.

    Args:
        operation: out of those that exist.
        status: of the answer.
        seconds: until it began.
        editor: kind of the editor that the token was made for; ``none`` where there is none.
    """
    counter, histogram = _wopi_children(operation, status, editor)
    counter.inc()
    histogram.observe(seconds)


def observe_redis(seconds: float, failure: str | None) -> None:
    """Count one round trip; `failure` names what went wrong, None where nothing did."""
    if failure is None:
        REDIS_SECONDS.observe(seconds)
    else:
        REDIS_FAILURES.labels(failure).inc()


def count_over_share(share: str) -> None:
    """Count one request that was refused for its tenant's share."""
    OVER_SHARE.labels(share).inc()


def observe_unsettled(saves: int, size_bytes: int, outcome: Outcome | None) -> None:
    """Count saves that wait; see `genro_wopi.adapters.unsettled_folder.Observe`."""
    UNSETTLED.inc(saves)
    UNSETTLED_BYTES.inc(size_bytes)
    if outcome is not None:
        UNSETTLED_OUTCOMES.labels(outcome).inc()


@lru_cache(maxsize=128)
def _storage_seconds(protocol: StorageProtocol, operation: str) -> Histogram:
    return STORAGE_SECONDS.labels(protocol, operation)


class StorageMetrics:
    """Implements `genro_wopi.adapters.storage.watched.StorageObserver`."""

    def called(
        self, protocol: StorageProtocol, operation: str, seconds: float, *, failed: bool
    ) -> None:
        """See StorageObserver."""
        _storage_seconds(protocol, operation).observe(seconds)
        if failed:
            STORAGE_FAILURES.labels(protocol, operation).inc()

    def circuit(self, protocol: StorageProtocol, *, is_open: bool) -> None:
        """See StorageObserver."""
        STORAGE_CIRCUITS_OPEN.labels(protocol).inc(1 if is_open else -1)

    def bad_record(self, protocol: StorageProtocol, kind: str) -> None:
        """See StorageObserver."""
        STORAGE_BAD_RECORDS.labels(protocol, kind).inc()

    def odd_answer(self, protocol: StorageProtocol, operation: str, error: Exception) -> None:
        """See StorageObserver; the log says where in the code, and nothing of what was answered."""
        STORAGE_ODD_ANSWERS.labels(protocol, operation).inc()
        get_logger().warning(
            "storage_odd_answer",
            protocol=protocol,
            operation=operation,
            error=type(error).__name__,
            place=place_of(error),
        )


def serve_metrics(host: str, port: int) -> None:
    """Serve /metrics on a port of its own; 0 serves nothing."""
    if port:
        start_http_server(port, addr=host)
