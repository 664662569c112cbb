"""Waiting for a condition instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    look: Callable[[], Awaitable[T]], is_it: Callable[[T], bool], timeout_s: float = 60.0
) -> T:
    """Look again until what is seen is what is wanted; return it."""
    deadline = time.monotonic() + timeout_s
    while True:
        seen = await look()
        if is_it(seen):
            return seen
        assert time.monotonic() < deadline, f"still {seen!r} after {timeout_s} s"
        await asyncio.sleep(0.05)


def until(is_so: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait until a condition holds, outside of an event loop."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {timeout_s} s"
        time.sleep(0.05)
