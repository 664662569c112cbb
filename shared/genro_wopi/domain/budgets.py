"""What one tenant may use up in a minute of what all share; the whole cluster counts together."""

from enum import StrEnum
from typing import Final, Protocol

from genro_wopi.domain.identifiers import TenantId

MINUTE_MS: Final = 60_000


class Budget(StrEnum):
    """What is counted."""

    ACTIVITIES = "activities"
    """Bytes of events that AddActivities writes."""
    SESSIONS = "sessions"
    """Sessions that an application creates."""


class Budgets(Protocol):
    """Counts what tenants use up. Saves, locks and unlocks are never counted."""

    async def spend(self, tenant_id: TenantId, budget: Budget, amount: int) -> None:
        """Take so much out of what the tenant has for this minute; MUST be atomic.

        What alone is larger than a minute's budget is let through where nothing was spent yet.

        Raises:
            RateLimitedError: not so much is left; nothing was taken.
        """
        ...
