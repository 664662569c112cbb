"""Opens configured storages and keeps them open, by tenant, name and revision.

A new back end is one module beside this one, with a function `build`, and one line in `MODULES`.
A module is imported when its first storage is opened: the libraries of some take longer to import
than a service takes to start.
"""

import asyncio
import importlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, cast

from genro_wopi.adapters.storage.surroundings import StorageSurroundings
from genro_wopi.domain.storages import Storage, StorageBackend, StorageProtocol

OPEN_MAX: Final = 256
"""Storages that one process keeps open; the one unused for longest is closed first."""

MODULES: Final = {
    StorageProtocol.LOCAL: "genro_wopi.adapters.storage.local",
    StorageProtocol.S3: "genro_wopi.adapters.storage.s3",
}

Builder = Callable[[Storage, StorageSurroundings], Awaitable[StorageBackend]]


class CachingStorageOpener:
    """Implements `StorageOpener`."""

    def __init__(self, surroundings: StorageSurroundings) -> None:
        self._surroundings = surroundings
        self._open: OrderedDict[tuple[str, str, int], StorageBackend] = OrderedDict()
        self._lock = asyncio.Lock()

    async def open(self, storage: Storage) -> StorageBackend:
        """See StorageOpener."""
        key = (storage.tenant_id, storage.name, storage.revision)
        backend = self._open.get(key)
        if backend is not None:
            self._open.move_to_end(key)
            return backend
        async with self._lock:
            if key not in self._open:
                build = await asyncio.to_thread(_builder, storage.protocol)
                self._open[key] = await build(storage, self._surroundings)
                if len(self._open) > OPEN_MAX:
                    _, oldest = self._open.popitem(last=False)
                    await oldest.aclose()
        return self._open[key]

    async def aclose(self) -> None:
        """Close every storage."""
        while self._open:
            _, backend = self._open.popitem()
            await backend.aclose()


def _builder(protocol: StorageProtocol) -> Builder:
    return cast(Builder, importlib.import_module(MODULES[protocol]).build)
