"""How many events wait, and whose are too many: the oldest stay, new ones become dead letters."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from genro_wopi.domain.clock import Clock
from genro_wopi.domain.events import EventQueue
from genro_wopi.domain.identifiers import TenantId

FRESH_S: Final = 2.0
FULL: Final = "too many events of the tenant waited (WOPI_EVENT_BACKLOG_MAX)"

ReportBacklog = Callable[[Mapping[TenantId, int], Collection[TenantId]], None]


class Backlog:
    """Counts every few seconds."""

    def __init__(
        self, queue: EventQueue, clock: Clock, *, events_max: int, report: ReportBacklog
    ) -> None:
        """Take what is worked with.

        Args:
            queue: the events.
            clock: tells when to count again.
            events_max: of one tenant.
            report: is told how many of each tenant wait, and whose are too many.
        """
        self._queue = queue
        self._clock = clock
        self._events_max = events_max
        self._report = report
        self._counted_s = float("-inf")
        self._full: dict[TenantId, str] = {}

    async def full(self) -> Mapping[TenantId, str]:
        """Return the tenants of which enough events wait, with the reason.

        Raises:
            UnavailableError: Redis does not answer.
        """
        if self._clock.monotonic_s() - self._counted_s > FRESH_S:
            waiting = await self._queue.backlog()
            self._full = {t: FULL for t, count in waiting.items() if count >= self._events_max}
            self._report(waiting, self._full.keys())
            self._counted_s = self._clock.monotonic_s()
        return self._full
