"""Waiting for a condition instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    look: Callable[[], Awaitable[T]], is_it: Callable[[T], bool], timeout_s: float = 15.0
) -> T:
    """Look again until what is seen is what is wanted; return it."""
    deadline = time.monotonic() + timeout_s
    while True:
        seen = await look()
        if is_it(seen):
            return seen
        assert time.monotonic() < deadline, f"still {seen!r} after {timeout_s} s"
        await asyncio.sleep(0.05)
