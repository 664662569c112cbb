"""A folder of this machine, reached without ever leaving it: see `beneath`."""

import asyncio
import errno
import fcntl
import os
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

from genro_wopi.adapters.storage.beneath import Beneath, open_to_lock
from genro_wopi.adapters.storage.history import History
from genro_wopi.adapters.storage.records import Records
from genro_wopi.domain.errors import NotFoundError, StorageFullError
from genro_wopi.domain.paths import RESERVED_SEGMENT, StoragePath, path_digest
from genro_wopi.domain.storages import StorageFaultError

THREADS_MAX: Final = 16
HISTORIES_KEPT: Final = 4096
"""How many files' newest record a process remembers."""

LOCKS: Final = (RESERVED_SEGMENT, "locks")

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

T = TypeVar("T")


class LocalRoot(Beneath):
    """The folder of one storage, its threads, and what it remembers of its files."""

    def __init__(self, root: Path, records: Records | None = None) -> None:
        super().__init__(root)
        self.records = records or Records()
        self.threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="local-storage")
        self.history = lru_cache(HISTORIES_KEPT)(self._history)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in this storage's threads and translate its errors."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, work)
        except FileNotFoundError as error:
            raise NotFoundError("There is no such file in the storage.") from error
        except OSError as error:
            raise _translated(error) from error

    @contextmanager
    def exclusively(self, *paths: StoragePath) -> Generator[None]:
        """Keep other processes from committing or moving these paths at the same time."""
        with ExitStack() as stack:
            folder = stack.enter_context(self.folder(LOCKS, create=True))
            for stripe in sorted({path_digest(path)[:2] for path in paths}):
                descriptor = open_to_lock(folder, stripe)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    def _history(self, path: StoragePath) -> History:
        return History(self, path, self.records)


@contextmanager
def ignoring(error: type[OSError]) -> Generator[None]:
    """Go on where an error of this kind says that the work was done before."""
    try:
        yield
    except error:
        return


def _translated(error: OSError) -> Exception:
    if error.errno in _FULL:
        return StorageFullError("The storage is full; free space or raise the quota.")
    return StorageFaultError(f"The folder does not answer properly: {error.strerror}.")
