"""Connections to one Redis server, taken and given back without a word to it.

redis-py's pool looks, before every command, whether something unread lies on the connection, and
packs commands in Python: together two fifths of the time of a small script. Here nothing unread can
lie on a connection, since one that did not end cleanly is closed; and one that the server closed
meanwhile fails its next command, which the caller attempts again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, cast

import hiredis
from redis.asyncio import ConnectionPool
from redis.exceptions import ReadOnlyError, ResponseError

CONNECTIONS_MAX: Final = 64

Argument = str | bytes | int | float
Reply = Any
"""What Redis sends: bytes, int, None, or lists of them. Stores decode it at once."""


_pack = cast("Callable[[tuple[Argument, ...]], bytes]", hiredis.pack_command)  # pyright: ignore[reportUnknownMemberType] - hiredis types a tuple of one


class _Connection(Protocol):
    """The part of redis-py's connection that is called, with the types that it leaves out."""

    @property
    def is_connected(self) -> bool: ...
    async def connect(self) -> None: ...
    async def disconnect(self, *, nowait: bool = ...) -> None: ...
    async def send_packed_command(self, command: bytes, *, check_health: bool) -> None: ...
    async def read_response(self) -> Reply: ...


class Connections:
    """Exchanges commands for replies; at most `CONNECTIONS_MAX` at a time."""

    def __init__(self, pool: ConnectionPool, *, patience_s: float) -> None:
        """Take what makes connections.

        Args:
            pool: makes and configures them; none of its own is used.
            patience_s: how long a caller waits for a free one.
        """
        self._pool = pool
        self._patience_s = patience_s
        self._idle: list[_Connection] = []
        self._free = asyncio.Semaphore(CONNECTIONS_MAX)
        self._is_closed = False

    async def exchange(self, commands: Sequence[Sequence[Argument]]) -> list[Reply]:
        """Send commands together and return their replies in the same order.

        Raises:
            RedisError: Redis refused one of them; the first refusal.
            OSError, TimeoutError: it did not answer, or no connection became free.
        """
        packed = b"".join([_pack(tuple(command)) for command in commands])
        if self._free.locked():
            async with asyncio.timeout(self._patience_s):
                await self._free.acquire()
        else:
            await self._free.acquire()
        try:
            return await self._exchange(packed, len(commands))
        finally:
            self._free.release()

    async def nodes(self) -> "list[Connections]":
        """Return all servers: this one."""
        return [self]

    async def aclose(self) -> None:
        """Close the connections; those in use when their replies have come."""
        self._is_closed = True
        while self._idle:
            await self._idle.pop().disconnect()

    async def _exchange(self, packed: bytes, count: int) -> list[Reply]:
        connection = self._idle.pop() if self._idle else self._new()
        replies: list[Reply] = []
        refusal: ResponseError | None = None
        try:
            if not connection.is_connected:
                await _heeded(connection.connect())
            await _heeded(connection.send_packed_command(packed, check_health=False))
            for _ in range(count):
                try:
                    replies.append(await connection.read_response())
                except ResponseError as error:
                    refusal = refusal or error
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if isinstance(error, Exception):
                await self._drop_idle()
            raise
        self._idle.append(connection)
        if self._is_closed or isinstance(refusal, ReadOnlyError):
            await self._drop_idle()  # A master that became a replica: look for the new one.
        if refusal is not None:
            raise refusal
        return replies

    def _new(self) -> _Connection:
        return cast("_Connection", self._pool.make_connection())

    async def _drop_idle(self) -> None:
        """Close what the same outage has most likely broken too."""
        dropped, self._idle = self._idle, []
        for connection in dropped:
            await connection.disconnect(nowait=True)


async def _heeded(work: Awaitable[object]) -> None:
    """Wait for what redis-py does; a cancellation counts even where redis-py lost it.

    It sends in `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that arrives
    when the bytes are out: a deadline would be missed, a worker that is stopped would go on.
    Connecting sends, too.
    """
    task = asyncio.current_task()
    cancelled = task.cancelling() if task else 0
    await work
    if task and task.cancelling() > cancelled:
        raise asyncio.CancelledError
