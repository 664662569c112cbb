"""Delivering events: the head of each lane, retried with growing delays, then a dead letter."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from genro_wopi.domain.clock import Clock
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.events import Delivery, DeliveryOutcome, EventQueue, Receiver

IN_FLIGHT_MAX: Final = 32
TAKEN_MAX: Final = 8
"""Lanes claimed per partition and round."""

WAIT_MS: Final = 500
"""How long a round waits for new events; delayed ones are found at least this often."""

HOLD_S: Final = 2.0
"""Claims are renewed this often while a receiver takes its time."""

JITTER: Final = 0.2

Report = Callable[[Delivery, DeliveryOutcome], None]


class Deliverer:
    """Takes due events and delivers them, a bounded number at once."""

    def __init__(
        self,
        queue: EventQueue,
        receiver: Receiver,
        clock: Clock,
        retry_seconds: Sequence[int],
        report: Report,
    ) -> None:
        self._queue = queue
        self._receiver = receiver
        self._clock = clock
        self._retry_seconds = tuple(retry_seconds)
        self._report = report
        self._in_flight = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver until told to stop; what is in flight is finished."""
        async with asyncio.TaskGroup() as tasks:
            while not stopping.is_set():
                try:
                    if not await self._round(tasks):
                        await self._queue.wait(timeout_ms=WAIT_MS)
                except UnavailableError:
                    await asyncio.sleep(WAIT_MS / 1000)

    async def _round(self, tasks: asyncio.TaskGroup) -> bool:
        free = IN_FLIGHT_MAX - self._in_flight
        if free <= 0:
            await asyncio.sleep(0.02)
            return True
        taken = await self._queue.take(limit=min(free, TAKEN_MAX))
        for delivery in taken:
            self._in_flight += 1
            tasks.create_task(self._deliver(delivery))
        return bool(taken)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            outcome = await self._held(delivery)
            self._report(delivery, outcome)
            await self._settle(delivery, outcome)
        except UnavailableError:
            return  # The claim lapses and the event is delivered again, with the same id.
        finally:
            self._in_flight -= 1

    async def _held(self, delivery: Delivery) -> DeliveryOutcome:
        """Deliver, and hold the claim as long as that takes."""
        async with asyncio.TaskGroup() as tasks:
            delivering = tasks.create_task(self._receiver.deliver(delivery.event))
            while not (await asyncio.wait((delivering,), timeout=HOLD_S))[0]:
                with suppress(UnavailableError):
                    await self._queue.hold(delivery)
        return delivering.result()

    async def _settle(self, delivery: Delivery, outcome: DeliveryOutcome) -> None:
        if outcome.delivered:
            await self._queue.delivered(delivery)
            return
        attempt = delivery.event.attempt
        if attempt > len(self._retry_seconds):
            await self._queue.give_up(delivery, reason=outcome.reason)
            return
        jitter = 1 + random.uniform(-JITTER, JITTER)  # noqa: S311 - spreads retries
        delay_ms = int(self._retry_seconds[attempt - 1] * 1000 * jitter)
        await self._queue.retry_later(delivery, delay_ms=max(delay_ms, outcome.retry_after_ms))
