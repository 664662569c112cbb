"""A client's body that is read once and kept, so that it can be sent to another replica too.

What does not fit into its share of the memory is kept in the spool. Where the spool has no room the
body is passed on as it comes, and cannot be sent a second time.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from litestar.types import HTTPRequestEvent, Receive, ReceiveMessage, Scope

from genro_wopi.adapters.spool import MEMORY_BYTES_MAX, Spool
from genro_wopi.domain.errors import StorageFullError

READ_BYTES: Final = 512 * 1024


class ClientGoneError(Exception):
    """The client went away."""


class ReplayableBody:
    """The body of one request; empty for a request that has none.

    Args:
        scope: of the request.
        receive: its body.
        spool: keeps what does not fit into memory.
        address: whose share of the spool it takes; who sends is not known better here.
    """

    def __init__(self, scope: Scope, receive: Receive, spool: Spool, address: str) -> None:
        self._holder = f"address:{address}"
        self._receive = receive
        self._receiving: asyncio.Future[ReceiveMessage] | None = None
        self._spool = spool
        headers = {k.lower(): v for k, v in scope["headers"]}
        length = headers.get(b"content-length", b"")
        self.is_chunked = b"transfer-encoding" in headers
        self.exists = self.is_chunked or length not in {b"", b"0"}
        self.is_whole = False
        self.is_replayable = True
        self._memory: list[bytes] = []
        self._memory_bytes = 0
        self._disk_bytes = 0
        self._passed_bytes = 0
        """What comes before the bytes in memory: on disk, or passed on and not kept."""
        self._reserved_bytes = 0
        self._writing: asyncio.Future[None] | None = None
        self._descriptor = -1
        self._path: Path | None = None
        spool.begin()

    async def fill(self, size_bytes: int | None = None) -> None:
        """Keep what comes, until there are so many bytes, or all; or no more room.

        Raises:
            ClientGoneError: the client went away.
        """
        while not self.is_whole and self.is_replayable:
            if size_bytes is not None and self._disk_bytes + self._memory_bytes >= size_bytes:
                return
            await self._read()

    async def gone(self) -> None:
        """Wait until the client goes away; the body must be whole, or without room.

        Raises:
            ClientGoneError: it did.
        """
        if not self.is_whole:
            await asyncio.get_running_loop().create_future()  # Nothing more can be read of it now.
        while True:
            await self._message()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body from its beginning; a second time only where it is replayable.

        Raises:
            ClientGoneError: the client went away.
        """
        position = 0
        while True:
            await self._written()
            if position < self._disk_bytes:
                size = min(READ_BYTES, self._disk_bytes - position)
                chunk = await asyncio.to_thread(os.pread, self._descriptor, size, position)
            elif self._memory_bytes and position < self._passed_bytes + self._memory_bytes:
                chunk = b"".join(self._memory)[position - self._passed_bytes :]
                if not self.is_replayable:
                    self._passed_bytes += self._memory_bytes
                    self._memory, self._memory_bytes = [], 0
            elif self.is_whole:
                return
            else:
                await self._read()
                continue
            position += len(chunk)
            yield chunk

    async def discard(self) -> None:
        """Give back what it takes."""
        self._spool.end()
        if self._receiving is not None:
            self._receiving.cancel()
        if self._writing is not None:
            await asyncio.wait((self._writing,))
        self._spool.give_back(self._holder, self._reserved_bytes)
        if self._path is not None:
            path, descriptor = self._path, self._descriptor
            await asyncio.to_thread(lambda: (os.close(descriptor), path.unlink(missing_ok=True)))

    async def _read(self) -> None:
        await self._written()
        message = await self._message()
        self.is_whole = not message["more_body"]
        if message["body"]:
            self._memory.append(message["body"])
            self._memory_bytes += len(message["body"])
        if self._memory_bytes > min(MEMORY_BYTES_MAX, self._spool.share_bytes):
            self._keep_on_disk()
            await self._written()

    async def _message(self) -> HTTPRequestEvent:
        """Return the next message; who is cancelled while waiting leaves it to whoever is next."""
        receiving = self._receiving or asyncio.ensure_future(self._receive())
        self._receiving = receiving
        await asyncio.wait((receiving,))
        message, self._receiving = receiving.result(), None
        if message["type"] != "http.request":
            raise ClientGoneError
        return message

    def _keep_on_disk(self) -> None:
        """Begin to write what is held in memory; `_written` ends it."""
        if not self.is_replayable:
            return
        try:
            self._spool.reserve(self._holder, self._memory_bytes)
        except StorageFullError:
            self.is_replayable = False
            return
        self._reserved_bytes += self._memory_bytes
        content = b"".join(self._memory)
        self._writing = asyncio.ensure_future(asyncio.to_thread(self._write, content))

    async def _written(self) -> None:
        if self._writing is None:
            return
        await asyncio.wait((self._writing,))
        writing, self._writing = self._writing, None
        if writing.exception() is not None:
            self.is_replayable = False
            return
        self._disk_bytes += self._memory_bytes
        self._passed_bytes = self._disk_bytes
        self._memory, self._memory_bytes = [], 0

    def _write(self, content: bytes) -> None:
        if self._path is None:
            self._descriptor, self._path = self._spool.new_file()
        view = memoryview(content)
        while view:
            view = view[os.write(self._descriptor, view) :]
