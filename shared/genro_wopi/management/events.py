"""Events on their way to a tenant's application."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from genro_wopi.domain.callers import Scope
from genro_wopi.domain.events import EventStatus
from genro_wopi.domain.field_types import LongCursor, ShortText
from genro_wopi.management.operation import Operation


class EventListRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Whose events, and where on their way."""

    status: EventStatus = EventStatus.PENDING
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: LongCursor = ""
    tenant_id: ShortText | None = None


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """One event."""

    event_id: str
    event: str
    status: EventStatus
    reason: str | None
    """Why it was given up."""
    session_id: str
    file_id: str
    storage_name: str
    file_path: str
    sequence: int
    timestamp: str
    details: dict[str, Any]


class EventList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events, the newest first."""

    items: list[EventView]
    next_cursor: str | None


class EventReplay(msgspec.Struct, frozen=True, kw_only=True):
    """Which event is delivered again."""

    event_id: ShortText
    tenant_id: ShortText | None = None


class EventsReplay(msgspec.Struct, frozen=True, kw_only=True):
    """Which dead letters are delivered again; all where nothing is named."""

    event: ShortText | None = None
    file_id: ShortText | None = None
    since: ShortText | None = None
    """ISO 8601."""
    until: ShortText | None = None
    """ISO 8601; events of this moment and later are left out."""
    tenant_id: ShortText | None = None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many events are delivered again."""

    replayed: int


EVENTS_LIST: Final = Operation(
    name="events.list",
    method="GET",
    path="/api/events",
    summary="List events that wait, were delivered lately, or were given up.",
    request=EventListRequest,
    response=EventList,
    scope=Scope.AUDIT_READ,
)
EVENTS_REPLAY: Final = Operation(
    name="events.replay",
    method="POST",
    path="/api/events/{event_id}/replay",
    summary="Deliver an event again that was given up or delivered.",
    request=EventReplay,
    response=Replayed,
    scope=Scope.ALL,
)
EVENTS_REPLAY_DEAD: Final = Operation(
    name="events.replay-dead",
    method="POST",
    path="/api/events/replay",
    summary="Deliver dead letters again, by name, file or time.",
    request=EventsReplay,
    response=Replayed,
    scope=Scope.ALL,
)
