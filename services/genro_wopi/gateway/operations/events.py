"""Events on their way: looking at them, and sending them again."""

from typing import Final

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.events import EventStatus, LoggedEvent
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.tenants import tenant_id_of
from genro_wopi.gateway.operations.moments import moment_us
from genro_wopi.gateway.operations.office import Office
from genro_wopi.management.events import (
    EventList,
    EventListRequest,
    EventReplay,
    EventsReplay,
    EventView,
    Replayed,
)
from genro_wopi.protocol.times import format_us

FAR_US: Final = 2**62
REPLAYED_MAX: Final = 10_000


async def list_events(office: Office, caller: Caller, request: EventListRequest) -> EventList:
    """List a tenant's events of one status, the newest first."""
    tenant_id = await tenant_id_of(office.tenants, caller, request.tenant_id)
    found = await office.events.find(
        tenant_id, request.status, before=request.cursor, limit=request.limit
    )
    cursor = found[-1].position if len(found) == request.limit else None
    return EventList(items=[_view(logged) for logged in found], next_cursor=cursor)


async def replay_event(office: Office, caller: Caller, request: EventReplay) -> Replayed:
    """Deliver one event again.

    Raises:
        NotFoundError: it was neither given up nor delivered lately, or is another tenant's.
    """
    tenant_id = await tenant_id_of(office.tenants, caller, request.tenant_id)
    for status in (EventStatus.DEAD, EventStatus.DELIVERED):
        for logged in await _all(office, tenant_id, status):
            if logged.event.event_id == request.event_id and await office.events.replay(logged):
                return Replayed(replayed=1)
    raise NotFoundError("There is no such event that could be delivered again.")


async def replay_dead(office: Office, caller: Caller, request: EventsReplay) -> Replayed:
    """Deliver dead letters again, the oldest first."""
    since_us = moment_us("since", request.since) if request.since else 0
    until_us = moment_us("until", request.until) if request.until else FAR_US
    count = 0
    tenant_id = await tenant_id_of(office.tenants, caller, request.tenant_id)
    dead = await _all(office, tenant_id, EventStatus.DEAD)
    for logged in reversed(dead):
        event = logged.event
        wanted = (
            request.event in {None, event.name}
            and request.file_id in {None, event.context.file_id}
            and since_us <= event.at_us < until_us
        )
        count += bool(wanted and await office.events.replay(logged))
    return Replayed(replayed=count)


async def _all(office: Office, tenant_id: TenantId, status: EventStatus) -> list[LoggedEvent]:
    return await office.events.find(tenant_id, status, before="", limit=REPLAYED_MAX)


def _view(logged: LoggedEvent) -> EventView:
    event = logged.event
    return EventView(
        event_id=event.event_id,
        event=event.name,
        status=logged.status,
        reason=logged.reason or None,
        session_id=event.context.session_id,
        file_id=event.context.file_id,
        storage_name=event.context.storage_name,
        file_path=event.file_path,
        sequence=event.sequence,
        timestamp=format_us(event.at_us),
        details=dict(event.details),
    )
