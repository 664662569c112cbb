"""A folder of this machine, reached without ever leaving it.

Every path is walked segment by segment from the root without following symbolic links, so that
nothing outside `base_path` can be reached.
"""

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

from genro_wopi.adapters.storage.history import (
    History,
)
from genro_wopi.domain.errors import NotFoundError, StorageFullError
from genro_wopi.domain.paths import RESERVED_SEGMENT, StoragePath, history_folder, path_digest
from genro_wopi.domain.rescues import rescued_path
from genro_wopi.domain.storages import (
    StorageFaultError,
)

THREADS_MAX: Final = 16
HISTORIES_KEPT: Final = 4096
"""How many files' newest record a process remembers."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

T = TypeVar("T")


class LocalRoot:
    """The folder of one storage, its threads, and what it remembers of its files."""

    def __init__(self, root: Path) -> None:
        self.root = root
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
    def folder(self, segments: list[str], *, create: bool = False) -> Generator[int]:
        """Open a folder below the root without following symbolic links.

        Raises:
            FileNotFoundError: a segment is missing, is no folder, or is a symbolic link.
        """
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for segment in segments:
                if create:
                    _make_folder(segment, descriptor)
                try:
                    deeper = os.open(segment, flags, dir_fd=descriptor)
                except NotADirectoryError as error:
                    raise FileNotFoundError(errno.ENOENT, "not a folder", segment) from error
                except OSError as error:
                    if error.errno == errno.ELOOP:
                        raise FileNotFoundError(errno.ENOENT, "a link", segment) from error
                    raise
                os.close(descriptor)
                descriptor = deeper
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def exclusively(self, *paths: StoragePath) -> Generator[None]:
        """Keep other processes from committing or moving these paths at the same time."""
        folder = self.root / RESERVED_SEGMENT / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for stripe in sorted({path_digest(path)[:2] for path in paths}):
                descriptor = os.open(folder / stripe, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    def rescued(self, rescue_id: str) -> Path:
        """Name a recovery copy."""
        return self.root / rescued_path(rescue_id)

    def _history(self, path: StoragePath) -> History:
        return History(self.root / history_folder(path))


@contextmanager
def ignoring(error: type[OSError]) -> Generator[None]:
    """Go on where an error of this kind says that the work was done before."""
    try:
        yield
    except error:
        return


def _make_folder(segment: str, parent: int) -> None:
    with ignoring(FileExistsError):
        os.mkdir(segment, dir_fd=parent)


def _translated(error: OSError) -> Exception:
    if error.errno in _FULL:
        return StorageFullError("The storage is full; free space or raise the quota.")
    return StorageFaultError(f"The folder does not answer properly: {error.strerror}.")
