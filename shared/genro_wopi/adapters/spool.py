"""Where the body of a save waits until it is whole: small ones in memory, others on disk.

The spool is bounded, and nobody has more of its disk than is left free for others: a body beyond
that is refused with 507 before anything is changed. Bytes are hashed and counted as they pass.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from genro_wopi.domain.errors import (
    InvalidRequestError,
    StorageFullError,
    TooLargeError,
    UnavailableError,
)
from genro_wopi.domain.shares import Share

MEMORY_BYTES_MAX: Final = 256 * 1024
"""Larger bodies go to disk."""

BATCH_BYTES: Final = 2 * 1024 * 1024
"""Written and hashed at once, in a thread, so that the event loop never waits for the disk."""

PREFIX: Final = "save-"
LEFTOVER_AGE_S: Final = 60.0
"""A file is locked right after it was made; a minute later it surely is."""

BATCHES_BYTES_MAX: Final = 64 * 1024 * 1024
"""What all bodies that are being received may hold in memory; each gets an equal share of it."""


class SpooledBody:
    """Implements `genro_wopi.domain.storages.Body`."""

    def __init__(self, content: bytes, path: Path | None, size_bytes: int, sha256: str) -> None:
        self._content = content
        self.path = path
        self.size_bytes = size_bytes
        self.sha256 = sha256

    def in_memory(self) -> bytes:
        """See Body."""
        return self._content


class Spool:
    """A bounded place for bodies that are being received.

    Args:
        folder: where large ones lie.
        disk_bytes_max: what they may take there.
        observe: is told how many bytes came (or, negative, went), in memory and on disk.
        refused: is told of each body for which its holder's share was too small.
    """

    def __init__(
        self,
        folder: Path,
        *,
        disk_bytes_max: int,
        observe: Callable[[int], None] = lambda _bytes: None,
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = folder
        self._observe = observe
        self._refused = refused
        self._disk = Share(disk_bytes_max)
        self._receptions = 0

    @property
    def share_bytes(self) -> int:
        """How much one body may hold in memory, half of it while the other half is written."""
        return BATCHES_BYTES_MAX // max(1, 2 * self._receptions)

    @asynccontextmanager
    async def receive(
        self,
        chunks: AsyncIterable[bytes],
        *,
        holder: str,
        announced_bytes: int | None,
        size_bytes_max: int,
        chunk_timeout_s: float,
    ) -> AsyncGenerator[SpooledBody]:
        """Receive a body and hold it until the block ends.

        Args:
            chunks: as they arrive.
            holder: whose body it is: a tenant.
            announced_bytes: Content-Length or X-WOPI-Size; None where neither was sent.
            size_bytes_max: the tenant's limit.
            chunk_timeout_s: how long the sender may pause.

        Raises:
            TooLargeError: over the limit.
            InvalidRequestError: shorter or longer than announced, or the sender went away.
            UnavailableError: the sender paused too long.
            StorageFullError: the holder's share of the spool is used up.
        """
        if announced_bytes is not None and announced_bytes > size_bytes_max:
            raise _too_large(size_bytes_max)
        reception = _Reception(self, holder, size_bytes_max)
        self.begin()
        try:
            async for chunk in _timed(chunks, chunk_timeout_s):
                await reception.add(chunk)
            body = await reception.finish()
            if announced_bytes is not None and body.size_bytes != announced_bytes:
                raise InvalidRequestError(
                    f"The body has {body.size_bytes} bytes, {announced_bytes} were announced;"
                    " nothing was changed. Send it again."
                )
            yield body
        finally:
            self.end()
            await reception.discard()

    def begin(self) -> None:
        """Count one more body among those that share the memory."""
        self._receptions += 1

    def end(self) -> None:
        """Count it no more."""
        self._receptions -= 1

    def count(self, size_bytes: int) -> None:
        """Tell the observer what came or went."""
        self._observe(size_bytes)

    def reserve(self, holder: str, size_bytes: int) -> None:
        """Take a part of the disk.

        Raises:
            StorageFullError: the holder would have more than it leaves free.
        """
        if not self._disk.may_take(holder, size_bytes):
            self._refused()
            raise StorageFullError(
                "Too many bytes of this tenant are being received at once (nobody may have more of"
                " WOPI_SPOOL_BYTES_MAX than is left free); try again shortly."
            )
        self._disk.take(holder, size_bytes)

    def give_back(self, holder: str, size_bytes: int) -> None:
        """Return a part of the disk."""
        self._disk.give_back(holder, size_bytes)

    def new_file(self) -> tuple[int, Path]:
        """Create an empty file in the spool; it is locked as long as its process lives."""
        descriptor, name = tempfile.mkstemp(prefix=PREFIX, dir=self._folder)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return descriptor, Path(name)

    def remove_leftovers(self) -> int:
        """Remove what processes left that were killed while they received; return how many.

        The folder may be shared: what a living process holds is locked, and stays.
        """
        removed = 0
        for path in self._folder.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError), path.open("rb") as file:
                if time.time() - os.fstat(file.fileno()).st_mtime < LEFTOVER_AGE_S:
                    continue
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                removed += 1
        return removed


class _Reception:
    """One body on its way in."""

    def __init__(self, spool: Spool, holder: str, size_bytes_max: int) -> None:
        self._spool = spool
        self._holder = holder
        self._size_bytes_max = size_bytes_max
        self._digest = hashlib.sha256()
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._size_bytes = 0
        self._reserved_bytes = 0
        self._descriptor = -1
        self._path: Path | None = None
        self._writing: asyncio.Future[None] | None = None
        """The batch that is hashed and written while the next one arrives."""

    async def add(self, chunk: bytes) -> None:
        self._size_bytes += len(chunk)
        self._spool.count(len(chunk))
        if self._size_bytes > self._size_bytes_max:
            raise _too_large(self._size_bytes_max)
        self._batch.append(chunk)
        self._batch_bytes += len(chunk)
        limit = BATCH_BYTES if self._path else MEMORY_BYTES_MAX
        if self._batch_bytes > min(limit, self._spool.share_bytes):
            await self._flush()

    async def finish(self) -> SpooledBody:
        if self._path is None:
            content = b"".join(self._batch)
            self._digest.update(content)
            return SpooledBody(content, None, self._size_bytes, self._digest.hexdigest())
        await self._flush()
        await self._written()
        return SpooledBody(b"", self._path, self._size_bytes, self._digest.hexdigest())

    async def discard(self) -> None:
        if self._writing is not None:
            await asyncio.wait((self._writing,))
        self._spool.count(-self._size_bytes)
        self._spool.give_back(self._holder, self._reserved_bytes)
        if self._path is not None:
            path, descriptor = self._path, self._descriptor
            await asyncio.to_thread(lambda: (os.close(descriptor), path.unlink(missing_ok=True)))

    async def _flush(self) -> None:
        batch, self._batch = self._batch, []
        self._spool.reserve(self._holder, self._batch_bytes)
        self._reserved_bytes += self._batch_bytes
        self._batch_bytes = 0
        await self._written()
        self._writing = asyncio.ensure_future(asyncio.to_thread(self._write, batch))
        if self._path is None:
            await self._written()

    async def _written(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    def _write(self, batch: list[bytes]) -> None:
        try:
            if self._path is None:
                self._descriptor, self._path = self._spool.new_file()
            for chunk in batch:
                view = memoryview(chunk)
                while view:
                    view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise StorageFullError(f"The spool cannot be written: {error.strerror}.") from error
        for chunk in batch:
            self._digest.update(chunk)


async def _timed(chunks: AsyncIterable[bytes], timeout_s: float) -> AsyncIterator[bytes]:
    iterator = aiter(chunks)
    while True:
        try:
            async with asyncio.timeout(timeout_s):
                chunk = await anext(iterator)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise UnavailableError("The body stopped arriving; nothing was changed.") from error
        yield chunk


def _too_large(size_bytes_max: int) -> TooLargeError:
    return TooLargeError(f"The file is larger than {size_bytes_max} bytes, the limit here.")
