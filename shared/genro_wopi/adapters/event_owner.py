"""Whose an event is, and whether anybody may be told of it."""

from genro_wopi.domain.errors import NotFoundError, SuspendedError, UnavailableError
from genro_wopi.domain.events import DeliveryOutcome, Event
from genro_wopi.domain.tenants import Directory, Tenant


async def owner_of(directory: Directory, event: Event) -> Tenant | DeliveryOutcome:
    """Return the tenant of an event, or how its delivery ended before it began."""
    try:
        tenant = await directory.tenant(event.context.tenant_id)
    except (SuspendedError, UnavailableError) as error:
        return DeliveryOutcome(delivered=False, reason=str(error))
    except NotFoundError:
        return DeliveryOutcome(delivered=True, reason="the tenant is gone", skipped=True)
    return tenant
