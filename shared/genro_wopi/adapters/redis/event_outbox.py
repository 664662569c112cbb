"""Events for consumers of the operator's own: a Redis stream per tenant, in CloudEvents JSON.

Spec: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from typing import Final

import msgspec

from genro_wopi.adapters.event_owner import owner_of
from genro_wopi.adapters.event_payload import payload
from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.adapters.tracing import TRACEPARENT
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.events import DeliveryOutcome, Event
from genro_wopi.domain.identifiers import tenant_name
from genro_wopi.domain.tenants import Directory
from genro_wopi.protocol.times import format_us

EVENTS_MAX: Final = 100_000
"""About so many of a tenant are kept; consumers read faster than that or lose the oldest."""

NOTED_S: Final = 7 * 86_400
"""Longer than an event is tried again on its way to the other sinks."""

_APPEND: Final = Script("append_once")


class RedisEventOutbox:
    """Implements `genro_wopi.domain.events.Receiver`; each event is appended once."""

    def __init__(self, redis: RedisClient, directory: Directory) -> None:
        self._redis = redis
        self._directory = directory

    async def deliver(self, event: Event) -> DeliveryOutcome:
        """See Receiver."""
        tenant = await owner_of(self._directory, event)
        if isinstance(tenant, DeliveryOutcome):
            return tenant
        tenant_id = tenant.tenant_id
        names = (
            keys.outbox(tenant_id),
            keys.outbox_noted(tenant_id, event.event_id),
            keys.tenant(tenant.public_id),
        )
        encoded = msgspec.json.encode(cloud_event(event)).decode()
        try:
            await self._redis.run(
                _APPEND, names, ("event", encoded, EVENTS_MAX, NOTED_S, tenant_id)
            )
        except UnavailableError as error:
            return DeliveryOutcome(delivered=False, reason=str(error))
        return DeliveryOutcome(delivered=True, reason="appended")


def cloud_event(event: Event) -> dict[str, object]:
    """Build the envelope; ``data`` has the callback's fields but the attempt."""
    data = payload(event)
    del data["attempt"]
    envelope: dict[str, object] = {
        "specversion": "1.0",
        "id": event.event_id,
        "source": f"/genro-wopi/tenants/{tenant_name(event.context.tenant_id)}",
        "type": f"genro.wopi.{event.name}",
        "subject": event.context.file_id,
        "time": format_us(event.at_us),
        "datacontenttype": "application/json",
        "data": data,
    }
    if TRACEPARENT in event.details:
        envelope[TRACEPARENT] = event.details[TRACEPARENT]
    return envelope
