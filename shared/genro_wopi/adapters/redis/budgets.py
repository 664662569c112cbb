"""Budgets of tenants in Redis; see `genro_wopi.domain.budgets.Budgets`."""

import math
from collections.abc import Callable, Mapping
from typing import Final

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.budgets import MINUTE_MS, Budget
from genro_wopi.domain.errors import RateLimitedError
from genro_wopi.domain.identifiers import TenantId, tenant_name

_SPEND: Final = Script("spend")


class RedisBudgets:
    """Implements `Budgets`.

    Args:
        redis: counts, for all processes.
        per_minute: of each budget; 0 or none at all: any.
        refused: is told of each that was refused.
    """

    def __init__(
        self,
        redis: RedisClient,
        per_minute: Mapping[Budget, int],
        refused: Callable[[Budget], None] = lambda _budget: None,
    ) -> None:
        self._redis = redis
        self._per_minute = per_minute
        self._refused = refused

    async def spend(self, tenant_id: TenantId, budget: Budget, amount: int) -> None:
        """See Budgets."""
        most = self._per_minute.get(budget, 0)
        if not most or not amount:
            return
        wait_ms = await self._redis.run(
            _SPEND, (keys.spent(tenant_id, budget),), (amount, most, MINUTE_MS)
        )
        if wait_ms:
            self._refused(budget)
            wait_s = math.ceil(int(wait_ms) / 1000)
            raise RateLimitedError(
                wait_s,
                f"Tenant {tenant_name(tenant_id)!r} has used up its {budget} for this minute"
                f" (the whole cluster counts): wait {wait_s} s.",
            )
