"""What a part of the host works with, failing on purpose in the way that is asked for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from genro_wopi.domain.errors import UnavailableError


def unreported(_what: str, _error: BaseException) -> None:
    """Ignore a failure of background work."""


class PanicError(BaseException):
    """As libraries raise it whose other half is not Python."""


RAISED: Final[tuple[BaseException, ...]] = (
    RecursionError("too deep"),
    MemoryError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text"),
    KeyError("ETag"),
    ExceptionGroup("several", [ValueError("one"), OSError("two")]),
    StopAsyncIteration(),
    UnavailableError("away"),
    PanicError("in the other half"),
    asyncio.CancelledError("somebody else's"),
)
"""One of each kind that background work has to outlive."""


class Failures:
    """Which awaited calls raise now, and which were ever made: ``port.method``."""

    def __init__(self) -> None:
        self.called: set[str] = set()
        self.raises: dict[str, BaseException] = {}
        self.raised: set[str] = set()

    async def call(self, name: str, real: Callable[[], Awaitable[Any]]) -> Any:
        self.called.add(name)
        if name in self.raises:
            self.raised.add(name)
            raise self.raises[name]
        return await real()


class Failing:
    """A port whose calls are passed on, or raise."""

    def __init__(self, name: str, real: Any, failures: Failures) -> None:
        self._name, self._real, self._failures = name, real, failures

    def __getattr__(self, attribute: str) -> Any:
        real: Callable[..., Awaitable[Any]] = getattr(self._real, attribute)

        async def call(*arguments: Any, **named: Any) -> Any:
            name = f"{self._name}.{attribute}"
            return await self._failures.call(name, lambda: real(*arguments, **named))

        return call
