"""How tenants share a worker: none fills it, and one that fails is left alone for a while."""

import asyncio
from collections import Counter
from typing import Final

from genro_wopi.domain.clock import Clock
from genro_wopi.domain.identifiers import TenantId

SENDING_MAX: Final = 32
SENDING_PER_TENANT_MAX: Final = 2
"""A tenant whose application hangs holds this many of the places, not all."""

SLOW_S: Final = 1.0
PARKED_MS_QUICK: Final = 20
PARKED_MS_SLOW: Final = 300
"""Lanes of a tenant that has all its places make room for others this long: of one whose
application answers, shortly; of one that has not answered for a second, longer."""

CLAIMS_MAX: Final = 64
FAILURES_MAX: Final = 5
"""In a row; then the tenant's application is left alone."""

OPEN_S_FIRST: Final = 5.0
OPEN_S_MAX: Final = 300.0


class _Breaker:
    """Failures of one tenant's application in a row, and until when it is left alone."""

    def __init__(self) -> None:
        self.failures = 0
        self.open_s = OPEN_S_FIRST
        self.until_s = 0.0


class Fairness:
    """Places for deliveries, by tenant."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._claims: Counter[TenantId] = Counter()
        self._moved_s: dict[TenantId, float] = {}
        """When a claim of each tenant began or ended last."""
        self._sending = asyncio.Semaphore(SENDING_MAX)
        self._places: dict[TenantId, asyncio.Semaphore] = {}
        self._breakers: dict[TenantId, _Breaker] = {}

    @property
    def free(self) -> int:
        """How many more events this worker may claim."""
        return CLAIMS_MAX - self._claims.total()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is claimed."""
        return not self._claims

    def busy(self) -> dict[TenantId, int]:
        """Return the tenants of which nothing more is claimed now, and for how many ms."""
        now_s = self._clock.monotonic_s()
        busy = {
            tenant_id: PARKED_MS_SLOW
            if now_s - self._moved_s[tenant_id] > SLOW_S
            else PARKED_MS_QUICK
            for tenant_id, count in self._claims.items()
            if count >= SENDING_PER_TENANT_MAX
        }
        return busy | {t: PARKED_MS_SLOW for t in self._breakers if self.left_alone_s(t) > 0}

    def claim(self, tenant_id: TenantId) -> None:
        """Note that an event of a tenant was claimed."""
        self._claims[tenant_id] += 1
        self._moved_s[tenant_id] = self._clock.monotonic_s()
        self._places.setdefault(tenant_id, asyncio.Semaphore(SENDING_PER_TENANT_MAX))

    def give_back(self, tenant_id: TenantId) -> None:
        """Note that a claim has ended."""
        self._claims[tenant_id] -= 1
        self._moved_s[tenant_id] = self._clock.monotonic_s()
        if not self._claims[tenant_id]:
            del self._claims[tenant_id]
            del self._places[tenant_id], self._moved_s[tenant_id]

    def place(self, tenant_id: TenantId) -> "_Place":
        """Wait for a place to send in; the tenant's own first, so that it holds no other's."""
        return _Place(self._places[tenant_id], self._sending)

    def left_alone_s(self, tenant_id: TenantId) -> float:
        """Return for how long a tenant's application is left alone from now."""
        breaker = self._breakers.get(tenant_id)
        return max(0.0, breaker.until_s - self._clock.monotonic_s()) if breaker else 0.0

    def succeeded(self, tenant_id: TenantId) -> None:
        """Note a delivery."""
        self._breakers.pop(tenant_id, None)

    def failed(self, tenant_id: TenantId) -> None:
        """Note a failure; after some in a row each one lengthens the pause."""
        breaker = self._breakers.setdefault(tenant_id, _Breaker())
        breaker.failures += 1
        if breaker.failures >= FAILURES_MAX:
            breaker.until_s = self._clock.monotonic_s() + breaker.open_s
            breaker.open_s = min(2 * breaker.open_s, OPEN_S_MAX)


class _Place:
    def __init__(self, own: asyncio.Semaphore, shared: asyncio.Semaphore) -> None:
        self._own, self._shared = own, shared

    async def __aenter__(self) -> None:
        await self._own.acquire()
        try:
            await self._shared.acquire()
        except BaseException:
            self._own.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._shared.release()
        self._own.release()
