"""Where events go: to one consumer after the other, all of which must have taken them."""

from collections.abc import Sequence

from genro_wopi.domain.events import DeliveryOutcome, Event, Receiver


class Sinks:
    """Implements `genro_wopi.domain.events.Receiver` over several.

    An event that one of them did not take is given to all of them again; each knows by its id
    what it has.
    """

    def __init__(self, receivers: Sequence[Receiver]) -> None:
        self._receivers = tuple(receivers)

    async def deliver(self, event: Event) -> DeliveryOutcome:
        """See Receiver; the last one's outcome, or the first that failed."""
        outcome = DeliveryOutcome(delivered=True, reason="no sink", skipped=True)
        for receiver in self._receivers:
            outcome = await receiver.deliver(event)
            if not outcome.delivered:
                break
        return outcome
