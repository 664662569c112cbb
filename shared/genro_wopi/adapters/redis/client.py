"""The part of Redis that this host uses, with time-outs, patience and types.

redis-py repeats commands by itself, which would run a script twice after a stall; here every call
is sent once per attempt, with a short time-out, and is attempted again only until the caller's
deadline. All that is called is safe to run twice.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from genro_wopi.adapters.redis.cluster import ClusterConnections
from genro_wopi.adapters.redis.connections import Argument, Connections, Reply
from genro_wopi.adapters.redis.pools import exchange_for
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.errors import UnavailableError

SOCKET_TIMEOUT_S: Final = 1.0
"""A healthy Redis answers within milliseconds; a hang must cost a second, not a minute."""

PATIENCE_S: Final = 3.0
"""How long a call waits for Redis to come back where the caller names no deadline."""

_PAUSES_S: Final = (0.02, 0.05, 0.1, 0.2, 0.4)

_OUTAGES: Final = (
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
    OSError,
    TimeoutError,
)


Observe = Callable[[float, str | None], None]


def _unobserved(_seconds: float, _failure: str | None) -> None:
    return


class RedisClient:
    """Sends commands and scripts; answers in bytes."""

    def __init__(self, connections: Connections | ClusterConnections, observe: Observe) -> None:
        self._connections = connections
        self._observe = observe
        self.round_trips = 0
        """How many requests were sent; the tests and the benchmark count them."""

    async def call(self, *command: Argument, deadline_s: float = 0.0) -> Reply:
        """Send one command.

        Args:
            command: name and arguments.
            deadline_s: monotonic time until which an outage is waited for; 0: `PATIENCE_S`.

        Raises:
            UnavailableError: Redis did not answer in time.
        """
        return (await self._patiently((command,), deadline_s))[0]

    async def run(
        self,
        script: Script,
        keys: Sequence[str],
        arguments: Sequence[Argument],
        *,
        deadline_s: float = 0.0,
    ) -> Reply:
        """Run a Lua script; Redis gets its source only where it lacks it.

        Raises:
            UnavailableError: Redis did not answer in time.
        """
        script.check(len(keys), len(arguments))
        rest = (len(keys), *keys, *arguments)
        try:
            return (await self._patiently((("EVALSHA", script.sha, *rest),), deadline_s))[0]
        except NoScriptError:
            return (await self._patiently((("EVAL", script.source, *rest),), deadline_s))[0]

    async def run_each(
        self, script: Script, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]
    ) -> list[Reply]:
        """Run one script several times in one round trip."""
        commands = [("EVALSHA", script.sha, len(keys), *keys, *rest) for keys, rest in calls]
        try:
            return await self._patiently(commands, 0.0)
        except NoScriptError:
            await self.call("SCRIPT", "LOAD", script.source)
            return await self._patiently(commands, 0.0)

    async def pipeline(self, commands: Sequence[Sequence[Argument]]) -> list[Reply]:
        """Send several commands in one round trip; they are not a transaction."""
        return await self._patiently(commands, 0.0)

    @property
    def is_clustered(self) -> bool:
        """Whether keys lie on several servers, so that no command can wait for all of them."""
        return isinstance(self._connections, ClusterConnections)

    async def scan(self, pattern: str, *, count: int) -> AsyncGenerator[list[str]]:
        """Yield the names of keys, of every server, in parts.

        Raises:
            UnavailableError: Redis did not answer in time.
        """
        try:
            for node in await self._connections.nodes():
                position = "0"
                while True:
                    command = ("SCAN", position, "MATCH", pattern, "COUNT", count)
                    ((found, names),) = await node.exchange([command])
                    position = text(found)
                    yield [text(name) for name in names]
                    if position == "0":
                        break
        except _OUTAGES as error:
            raise UnavailableError(
                f"Redis does not answer ({type(error).__name__}); try again."
            ) from error

    async def _patiently(
        self, commands: Sequence[Sequence[Argument]], deadline_s: float
    ) -> list[Reply]:
        deadline_s = deadline_s or time.monotonic() + PATIENCE_S
        failures = 0
        while True:
            self.round_trips += 1
            began_s = time.perf_counter()
            try:
                replies = await self._connections.exchange(commands)
            except NoScriptError:
                raise
            except _OUTAGES as error:
                self._observe(time.perf_counter() - began_s, type(error).__name__)
                pause_s = _PAUSES_S[min(failures, len(_PAUSES_S) - 1)]
                if time.monotonic() + pause_s > deadline_s:
                    raise UnavailableError(
                        f"Redis does not answer ({type(error).__name__}); try again."
                    ) from error
            except ResponseError as error:
                raise _as_outage(error) from error
            else:
                self._observe(time.perf_counter() - began_s, None)
                return replies
            failures += 1
            await asyncio.sleep(pause_s)


def _as_outage(error: ResponseError) -> Exception:
    text = str(error)
    if text.startswith(("OOM", "MISCONF", "NOREPLICAS", "UNKILLABLE", "BUSY")):
        return UnavailableError(f"Redis refuses writes ({text.split(' ', 1)[0]}); try again.")
    return error


@asynccontextmanager
async def connect(
    url: str, *, socket_timeout_s: float = SOCKET_TIMEOUT_S, observe: Observe = _unobserved
) -> AsyncGenerator[RedisClient]:
    """Open a client for the life of one process.

    Args:
        url: as `genro_wopi.adapters.redis.pools` says.
        socket_timeout_s: longer only for blocking reads.
        observe: is told how long each round trip took, or what kind of failure it was.
    """
    connections, close = exchange_for(
        url, socket_timeout_s=socket_timeout_s, connect_timeout_s=SOCKET_TIMEOUT_S
    )
    try:
        yield RedisClient(connections, observe)
    finally:
        await connections.aclose()
        await close()


def text(value: object) -> str:
    """Decode one bulk reply; a missing one is the empty string."""
    if value is None:
        return ""
    return value.decode() if isinstance(value, bytes) else str(value)


def number(value: object) -> int:
    """Decode one number; a missing one is 0."""
    return int(cast("bytes | int", value)) if value not in (None, b"", "") else 0
