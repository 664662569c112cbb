"""What happened to documents, told to the tenant's application.

Events are appended by the same script that changes the state, to a stream per partition. The
callback-worker moves them, atomically and in order, into one lane per file; only the head of a lane
is delivered, so that one file's events keep their order and files do not wait for each other.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from genro_wopi.domain.identifiers import TenantId


class EventName(StrEnum):
    """Every event that is announced."""

    SESSION_CREATED = "session_created"
    DOCUMENT_OPENED = "document_opened"
    DOCUMENT_SAVED = "document_saved"
    DOCUMENT_CLOSED = "document_closed"
    DOCUMENT_RENAMED = "document_renamed"
    DOCUMENT_DELETED = "document_deleted"
    DOCUMENT_ACTIVITY = "document_activity"
    LOCK_ACQUIRED = "lock_acquired"
    LOCK_RELEASED = "lock_released"
    SESSION_EXPIRED = "session_expired"
    SESSION_CLOSED = "session_closed"
    SAVE_RESCUED = "save_rescued"


class EventContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all events of a session say; encoded once, when the session is created."""

    tenant_id: TenantId
    session_id: str
    file_id: str
    storage_name: str
    account: str
    user: str
    origin_connection_id: str | None = None
    origin_page_id: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event, as it waits in its lane."""

    event_id: str
    name: str
    context: EventContext
    sequence: int
    file_path: str
    at_us: int
    attempt: int
    """1 for the first delivery."""
    details: dict[str, str]
    """The event's own fields, as the script wrote them."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker holds while it delivers the head of one lane."""

    partition: int
    lane: str
    event: Event
    raw: str
    """The event as the queue wrote it; it tells whether it still is the head of its lane."""


class EventQueue(Protocol):
    """The stream and its lanes."""

    async def take(
        self,
        *,
        limit: int,
        busy: Mapping[TenantId, int] | None = None,
        full: Mapping[TenantId, str] | None = None,
    ) -> list[Delivery]:
        """Claim the heads of due lanes; a claim lapses by itself when its worker dies.

        Args:
            limit: lanes of each partition at most.
            busy: tenants that get nothing now; their lanes make room for others so many ms.
            full: tenants of which enough events wait; their new ones become dead letters, with
                this reason.
        """
        ...

    async def backlog(self) -> dict[TenantId, int]:
        """Return how many events wait in lanes, by tenant."""
        ...

    async def hold(self, delivery: Delivery) -> None:
        """Renew a claim; one that is not renewed for some seconds lapses."""
        ...

    async def delivered(self, delivery: Delivery) -> None:
        """Remove the event; the next of its lane becomes due."""
        ...

    async def retry_later(self, delivery: Delivery, *, delay_ms: int) -> None:
        """Try the same event again after the delay; its lane waits."""
        ...

    async def park(self, delivery: Delivery, *, delay_ms: int) -> None:
        """Give an event back that was not tried."""
        ...

    async def give_up(self, delivery: Delivery, *, reason: str) -> None:
        """Move the event to the dead letters; the next of its lane becomes due."""
        ...

    async def wait(self, *, timeout_ms: int) -> None:
        """Return when events may be due, or after the time-out."""
        ...


class EventStatus(StrEnum):
    """Where an event is on its way."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class LoggedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as an operator sees it."""

    event: Event
    status: EventStatus
    reason: str
    """Why it was given up; empty otherwise."""
    partition: int
    entry_id: str
    """Where it lies; empty while it is pending."""

    @property
    def position(self) -> str:
        """Where it is in a list: by moment, then by id."""
        return f"{self.event.at_us:020d}.{self.event.event_id}"


class EventLog(Protocol):
    """Events that wait, were delivered lately, or were given up."""

    async def find(
        self, tenant_id: TenantId, status: EventStatus, *, before: str, limit: int
    ) -> list[LoggedEvent]:
        """Return a tenant's events of one status, the newest first.

        Args:
            tenant_id: whose.
            status: where on their way.
            before: the position after which the list goes on; empty for its beginning.
            limit: so many at most.
        """
        ...

    async def replay(self, logged: LoggedEvent) -> bool:
        """Deliver an event again; False where it is not there any more."""
        ...

    async def totals(self) -> tuple[int, int]:
        """Return how many dead letters are kept, and how many sessions have not ended."""
        ...

    async def waiting_s(self) -> float:
        """Return the age of the oldest event that no worker has looked at yet; 0 for none."""
        ...

    async def end_dead(self, *, before_us: int) -> int:
        """Remove what was given up before a moment; return how many."""
        ...


class Receiver(Protocol):
    """Delivers one event to a tenant's application."""

    async def deliver(self, event: Event) -> "DeliveryOutcome":
        """Send it, signed; never raises."""
        ...


class DeliveryOutcome(msgspec.Struct, frozen=True):
    """How a delivery went."""

    delivered: bool
    reason: str
    """In words, for the log and the dead letter."""
    retry_after_ms: int = 0
    """What the receiver asked for; 0 where it did not."""
    skipped: bool = False
    """The tenant wants no callbacks."""
    gone: bool = False
    """The application said that it wants no more (410)."""
