"""How failures of background work are counted and logged; see `genro_wopi.domain.isolation`."""

from genro_wopi.domain.errors import HostError
from genro_wopi.runtime import metrics
from genro_wopi.runtime.logs import get_logger


def background_failed(what: str, error: BaseException) -> None:
    """Count and log; what is away now and then has no traceback."""
    metrics.BACKGROUND_FAILURES.labels(what).inc()
    if isinstance(error, HostError):
        get_logger().warning("background_failed", what=what, reason=str(error))
    else:
        get_logger().error("background_failed", what=what, exc_info=error)
