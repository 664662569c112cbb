"""Delivering events: the head of each lane, retried with growing delays, then a dead letter."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from genro_wopi.callback_worker.operations.backlog import Backlog
from genro_wopi.callback_worker.operations.fairness import Fairness
from genro_wopi.domain.clock import Clock
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.events import Delivery, DeliveryOutcome, EventQueue, Receiver
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.isolation import Failed, isolated

TAKEN_MAX: Final = 8
"""Lanes claimed per partition and round."""

WAIT_MS: Final = 500
"""How long a round waits for new events; delayed ones are found at least this often."""

HOLD_S: Final = 2.0
"""Claims are renewed this often while a receiver takes its time."""

WAIT_S_BUSY: Final = 0.04
"""While deliveries are under way, lanes that were parked for them are due again soon."""

PAUSE_S: Final = 0.004
"""Between two rounds, so that one takes what several deliveries made room for."""

JITTER: Final = 0.2

SETTLE_S: Final = 20.0
"""An outcome is kept so long while Redis does not answer: what was delivered is not sent twice."""

Report = Callable[[Delivery, DeliveryOutcome], None]
Disable = Callable[[TenantId], Awaitable[None]]


class Reports(msgspec.Struct, frozen=True):
    """Who is told what."""

    delivery: Report
    """Of every delivery, and how it went."""
    failed: Failed
    """Of what was raised, whatever it is; nothing of it ends the worker."""


class Deliverer:
    """Takes due events and delivers them, a bounded number at once."""

    def __init__(
        self,
        queue: EventQueue,
        receiver: Receiver,
        clock: Clock,
        retry_seconds: Sequence[int],
        reports: Reports,
        disable: Disable,
        backlog: Backlog,
    ) -> None:
        """Take what is worked with.

        Args:
            queue: the events.
            receiver: delivers one.
            clock: for the pauses of applications that fail.
            retry_seconds: delays between attempts; after the last one it is a dead letter.
            reports: who is told of deliveries and failures.
            disable: called for a tenant whose application wants no more callbacks.
            backlog: knows of whom too many events wait.
        """
        self._queue = queue
        self._receiver = receiver
        self._retry_seconds = tuple(retry_seconds)
        self._reports = reports
        self._disable = disable
        self._fairness = Fairness(clock)
        self._clock = clock
        self._backlog = backlog
        self._room = asyncio.Event()
        self._arriving: asyncio.Task[None] | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver until told to stop; what is in flight is finished."""
        async with asyncio.TaskGroup() as tasks:
            while not stopping.is_set():
                self._room.clear()
                taken = await isolated("taking events", self._reports.failed, self._round, tasks)
                if taken is None:
                    await asyncio.sleep(WAIT_MS / 1000)
                elif not taken:
                    await self._wait(tasks)

    async def _wait(self, tasks: asyncio.TaskGroup) -> None:
        """Return when there may be something to take: a new event, or a place."""
        if self._arriving is None or self._arriving.done():
            self._arriving = tasks.create_task(self._arrival())
        if self._fairness.is_idle:
            await asyncio.wait((self._arriving,))
            return
        room = tasks.create_task(self._room.wait())
        waited = (self._arriving, room)
        await asyncio.wait(waited, timeout=WAIT_S_BUSY, return_when=asyncio.FIRST_COMPLETED)
        room.cancel()
        await asyncio.sleep(PAUSE_S)

    async def _arrival(self) -> None:
        async def wait() -> bool:
            await self._queue.wait(timeout_ms=WAIT_MS)
            return True

        if not await isolated("waiting for events", self._reports.failed, wait):
            await asyncio.sleep(WAIT_MS / 1000)

    async def _round(self, tasks: asyncio.TaskGroup) -> bool:
        free = self._fairness.free
        if free <= 0:
            return False
        full = await self._backlog.full()
        busy = self._fairness.busy()
        taken = await self._queue.take(limit=min(free, TAKEN_MAX), busy=busy, full=full)
        for delivery in taken:
            self._fairness.claim(delivery.event.context.tenant_id)
            tasks.create_task(self._deliver(delivery))
        return bool(taken)

    async def _deliver(self, delivery: Delivery) -> None:
        """Deliver and settle; where that fails the claim lapses, and it is begun again."""
        try:
            await isolated("settling", self._reports.failed, self._deliver_once, delivery)
        finally:
            self._fairness.give_back(delivery.event.context.tenant_id)
            self._room.set()

    async def _deliver_once(self, delivery: Delivery) -> None:
        outcome = await self._held(delivery)
        if outcome is None:
            pause_s = self._fairness.left_alone_s(delivery.event.context.tenant_id)
            await self._queue.park(delivery, delay_ms=int(pause_s * 1000) + 1)
            return
        await isolated("reporting", self._reports.failed, self._told, delivery, outcome)
        await self._settle_patiently(delivery, outcome)

    async def _told(self, delivery: Delivery, outcome: DeliveryOutcome) -> None:
        self._reports.delivery(delivery, outcome)

    async def _send(self, delivery: Delivery) -> DeliveryOutcome | None:
        """Deliver; None where the application is left alone and nothing was sent."""
        tenant_id = delivery.event.context.tenant_id
        async with self._fairness.place(tenant_id):
            if self._fairness.left_alone_s(tenant_id) > 0:
                return None
            outcome = await self._attempted(delivery)
        if outcome.delivered:
            self._fairness.succeeded(tenant_id)
        else:
            self._fairness.failed(tenant_id)
        return outcome

    async def _attempted(self, delivery: Delivery) -> DeliveryOutcome:
        """Deliver; whatever the receiver raises is an attempt that failed, and counts as one."""
        raised: list[str] = []

        def failed(what: str, error: BaseException) -> None:
            raised.append(type(error).__name__)
            self._reports.failed(what, error)

        outcome = await isolated("delivering", failed, self._receiver.deliver, delivery.event)
        reason = f"the delivery failed ({', '.join(raised)}); the log of the worker says why"
        return outcome or DeliveryOutcome(delivered=False, reason=reason)

    async def _held(self, delivery: Delivery) -> DeliveryOutcome | None:
        """Deliver, and hold the claim as long as that takes."""
        async with asyncio.TaskGroup() as tasks:
            delivering = tasks.create_task(self._send(delivery))
            while not (await asyncio.wait((delivering,), timeout=HOLD_S))[0]:
                await isolated("holding", self._reports.failed, self._queue.hold, delivery)
        return delivering.result()

    async def _settle_patiently(self, delivery: Delivery, outcome: DeliveryOutcome) -> None:
        until_s = self._clock.monotonic_s() + SETTLE_S
        while True:
            try:
                await self._settle(delivery, outcome)
            except UnavailableError:
                if self._clock.monotonic_s() > until_s:
                    raise
                await asyncio.sleep(WAIT_MS / 1000)
            else:
                return

    async def _settle(self, delivery: Delivery, outcome: DeliveryOutcome) -> None:
        if outcome.delivered:
            await self._queue.delivered(delivery)
            return
        if outcome.gone:
            tenant_id = delivery.event.context.tenant_id
            await isolated("disabling", self._reports.failed, self._disable, tenant_id)
            await self._queue.give_up(delivery, reason=outcome.reason)
            return
        attempt = delivery.event.attempt
        if attempt > len(self._retry_seconds):
            await self._queue.give_up(delivery, reason=outcome.reason)
            return
        jitter = 1 + random.uniform(-JITTER, JITTER)  # noqa: S311 - spreads retries
        delay_ms = int(self._retry_seconds[attempt - 1] * 1000 * jitter)
        await self._queue.retry_later(delivery, delay_ms=max(delay_ms, outcome.retry_after_ms))
