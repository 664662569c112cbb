"""Opens configured storages and keeps them open, watched, by tenant, name and revision.

A new back end is one module beside this one, with a function `build`, and one line in `MODULES`.
A module is imported when its first storage is opened: the libraries of some take longer to import
than a service takes to start.
"""

import asyncio
import importlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, cast

from genro_wopi.adapters.storage.places import place_of
from genro_wopi.adapters.storage.surroundings import StorageSurroundings
from genro_wopi.adapters.storage.watched import Watch, WatchedBackend
from genro_wopi.domain.circuit import Circuit
from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.errors import FieldError, InvalidFieldsError
from genro_wopi.domain.places import Place
from genro_wopi.domain.storages import Storage, StorageBackend, StorageProtocol

OPEN_MAX: Final = 256
"""Storages that one process keeps open; the one unused for longest is closed first."""

IN_USE_S: Final = 300.0
"""A storage that is closed may still be written to by a request this old."""

MODULES: Final = {
    StorageProtocol.LOCAL: "genro_wopi.adapters.storage.local",
    StorageProtocol.S3: "genro_wopi.adapters.storage.s3",
    StorageProtocol.WEBDAV: "genro_wopi.adapters.storage.webdav",
    StorageProtocol.GENRO: "genro_wopi.adapters.storage.genro",
}

Key = tuple[str, str, int]
Builder = Callable[[Storage, StorageSurroundings], Awaitable[StorageBackend]]


class CachingStorageOpener:
    """Implements `StorageOpener`."""

    def __init__(self, surroundings: StorageSurroundings) -> None:
        self._surroundings = surroundings
        self._open: OrderedDict[Key, asyncio.Task[StorageBackend]] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, storage: Storage) -> StorageBackend:
        """See StorageOpener; one that is slow to open holds up nobody else's."""
        key = (storage.tenant_id, storage.name, storage.revision)
        opening = self._open.get(key)
        if opening is None:
            opening = self._open[key] = asyncio.create_task(self._build(storage))
            self._retire_oldest()
        self._open.move_to_end(key)
        try:
            return await asyncio.shield(opening)
        except BaseException:
            if opening.done() and self._open.get(key) is opening:
                del self._open[key]
            raise

    async def place(self, storage: Storage) -> Place:
        """See StorageOpener."""
        return await asyncio.to_thread(place_of, storage, self._surroundings.local_roots)

    async def aclose(self) -> None:
        """Close every storage."""
        for closing in self._closing:
            closing.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        while self._open:
            await self._close(self._open.popitem()[1])

    async def _build(self, storage: Storage) -> StorageBackend:
        build = await asyncio.to_thread(_builder, storage.protocol)
        backend = await build(storage, self._surroundings)
        watch = Watch(storage.protocol, Circuit(SystemClock()), self._surroundings.observer)
        return WatchedBackend(backend, watch)

    def _retire_oldest(self) -> None:
        if len(self._open) > OPEN_MAX:
            closing = asyncio.create_task(self._close_later(self._open.popitem(last=False)[1]))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _close_later(self, opened: asyncio.Task[StorageBackend]) -> None:
        try:
            await asyncio.sleep(IN_USE_S)
        finally:
            await self._close(opened)

    async def _close(self, opened: asyncio.Task[StorageBackend]) -> None:
        if not opened.done():
            opened.cancel()
        result = (await asyncio.gather(opened, return_exceptions=True))[0]
        if not isinstance(result, BaseException):
            await result.aclose()


def _builder(protocol: StorageProtocol) -> Builder:
    try:
        return cast(Builder, importlib.import_module(MODULES[protocol]).build)
    except ModuleNotFoundError as error:
        problem = f"{error.name} is not installed here; install genro-wopi[{protocol}]"
        raise InvalidFieldsError((FieldError("protocol", problem),)) from error
