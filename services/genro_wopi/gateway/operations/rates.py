"""How often a tenant's application may call the API; what editors do is never counted.

A bucket for each tenant in this process: it fills with the rate and holds ten seconds of it, so
that a burst goes through.
"""

import math
from collections import OrderedDict
from typing import Final

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.clock import Clock
from genro_wopi.domain.errors import RateLimitedError

BURST_S: Final = 10.0
BUCKETS_MAX: Final = 10_000


class Rates:
    """Buckets by tenant."""

    def __init__(self, clock: Clock, per_second: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What is in each, and when it was looked at."""

    def count(self, caller: Caller) -> None:
        """Take one request out of a caller's bucket; the operator has none.

        Raises:
            RateLimitedError: it is empty.
        """
        if caller.tenant_id is None or not self._per_second:
            return
        now_s, full = self._clock.monotonic_s(), self._per_second * BURST_S
        left, then_s = self._buckets.pop(caller.tenant_id, (full, now_s))
        left = min(full, left + (now_s - then_s) * self._per_second)
        is_enough = left >= 1
        self._buckets[caller.tenant_id] = (left - is_enough, now_s)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        if not is_enough:
            raise RateLimitedError(max(1, math.ceil((1 - left) / self._per_second)))
