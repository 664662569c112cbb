"""Time as an argument, so that tests can decide what time it is."""

import asyncio
import time
from contextlib import suppress
from typing import Protocol


class Clock(Protocol):
    """Where a process reads the time."""

    def now_us(self) -> int:
        """Return microseconds since 1970; may go back when the machine's clock is set."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back; only differences mean something."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """See Clock."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """See Clock."""
        return time.monotonic()


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait, but no longer than until told to stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()
