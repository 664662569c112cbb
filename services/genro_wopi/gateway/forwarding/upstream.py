"""One replica behind the gateway, and HTTP/1.1 connections to it.

Answer and body are on their way at the same time: a replica that refuses a save says so while the
editor still sends it, and closes. A client that reads only after all is sent would see a reset
there, and the editor a fault of ours instead of its 401 or 413.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import h11
import msgspec

CONNECT_TIMEOUT_S: Final = 2.0
ANSWER_TIMEOUT_S: Final = 60.0
"""From the last byte of a request to its answer, and between two parts of the answer."""

WRITE_TIMEOUT_S: Final = 60.0
LATE_ANSWER_S: Final = 2.0
"""How long an answer is looked for after the replica stopped to read the body."""

IDLE_S: Final = 20.0
"""How long an unused connection is kept; replicas close theirs after 30 s."""

READ_BYTES: Final = 64 * 1024
HEAD_BYTES_MAX: Final = 64 * 1024

RawHeaders = list[tuple[bytes, bytes]]


class UnreachedError(Exception):
    """No connection could be made; nothing was sent."""


class BrokenError(Exception):
    """The connection broke, or what came over it is no HTTP, before there was an answer."""

    def __init__(self, message: str, *, whole_request_sent: bool) -> None:
        super().__init__(message)
        self.whole_request_sent = whole_request_sent
        """Whether the replica may have acted: what was not sent whole is never acted on."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a request, as it is sent to a replica."""

    method: bytes
    target: bytes
    headers: RawHeaders


class Answer(msgspec.Struct, frozen=True):
    """The head of an answer."""

    status: int
    headers: RawHeaders


class Connection:
    """One connection; it carries one exchange at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)
        self.idle_since_s = 0.0

    @property
    def is_usable(self) -> bool:
        """Whether another exchange may begin: the last one is over and nobody closed."""
        is_idle = self._http.our_state is h11.IDLE and self._http.their_state is h11.IDLE
        return is_idle and not self._reader.at_eof() and not self._writer.is_closing()

    async def ask(self, request: Request, body: AsyncIterator[bytes] | None) -> Answer:
        """Send a request and return the head of its answer, which may come before the body's end.

        Raises:
            BrokenError: there is none.
            h11.LocalProtocolError: the request cannot be sent as HTTP.
        """
        head = h11.Request(method=request.method, target=request.target, headers=request.headers)
        data = self._http.send(head) or b""
        if body is not None:
            return await self._ask_with_body(data, body)
        try:
            self._writer.write(data + (self._http.send(h11.EndOfMessage()) or b""))
            return await self._head(ANSWER_TIMEOUT_S)
        except (OSError, TimeoutError, h11.RemoteProtocolError) as error:
            raise BrokenError(str(error), whole_request_sent=True) from error

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the answer's body.

        Raises:
            OSError, TimeoutError, h11.RemoteProtocolError: it ended too early.
        """
        while True:
            event = await self._event(ANSWER_TIMEOUT_S)
            if isinstance(event, h11.EndOfMessage):
                break
            if isinstance(event, h11.Data):
                yield bytes(event.data)
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()

    def close(self) -> None:
        """Close it at once."""
        self._writer.transport.abort()

    async def _ask_with_body(self, head: bytes, body: AsyncIterator[bytes]) -> Answer:
        sending = asyncio.ensure_future(self._send(head, body))
        answering = asyncio.ensure_future(self._head(None))
        try:
            await asyncio.wait((sending, answering), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                with suppress(OSError, TimeoutError):
                    await sending  # The client's own errors go up from here.
                timeout_s = ANSWER_TIMEOUT_S if self._is_sent else LATE_ANSWER_S
                await asyncio.wait((answering,), timeout=timeout_s)
            if not answering.done():
                raise BrokenError("no answer came", whole_request_sent=self._is_sent)
            return answering.result()
        except (OSError, TimeoutError, h11.RemoteProtocolError) as error:
            raise BrokenError(str(error), whole_request_sent=self._is_sent) from error
        finally:
            for task in (sending, answering):
                task.cancel()
            await asyncio.gather(sending, answering, return_exceptions=True)

    @property
    def _is_sent(self) -> bool:
        return self._http.our_state not in {h11.IDLE, h11.SEND_BODY}

    async def _send(self, head: bytes, body: AsyncIterator[bytes]) -> None:
        self._writer.write(head)
        async for chunk in body:
            data = self._http.send(h11.Data(data=chunk)) or b""
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                self._writer.write(data)
                await self._writer.drain()
        self._writer.write(self._http.send(h11.EndOfMessage()) or b"")
        async with asyncio.timeout(WRITE_TIMEOUT_S):
            await self._writer.drain()

    async def _head(self, timeout_s: float | None) -> Answer:
        while True:
            event = await self._event(timeout_s)
            if isinstance(event, h11.Response):
                return Answer(event.status_code, [(k, v) for k, v in event.headers])
            if not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError("the connection was closed without an answer")

    async def _event(self, timeout_s: float | None) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                if isinstance(event, h11.ConnectionClosed):
                    raise h11.RemoteProtocolError("the connection was closed")
                return event
            async with asyncio.timeout(timeout_s):
                data = await self._reader.read(READ_BYTES)
            self._http.receive_data(data)


class Upstream:
    """One replica, with the connections to it that nobody uses."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._idle: list[Connection] = []

    def idle(self, now_s: float) -> Connection | None:
        """Take a connection that is open already; None where there is none."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable and now_s - connection.idle_since_s < IDLE_S:
                return connection
            connection.close()
        return None

    async def connect(self) -> Connection:
        """Open a connection.

        Raises:
            UnreachedError: nobody listens there.
        """
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls, limit=2 * READ_BYTES
                )
        except (OSError, TimeoutError) as error:
            raise UnreachedError(str(error)) from error
        return Connection(reader, writer)

    def give_back(self, connection: Connection, now_s: float) -> None:
        """Take a connection back, for the next request where it can carry one."""
        if connection.is_usable:
            connection.idle_since_s = now_s
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close what is idle."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()
