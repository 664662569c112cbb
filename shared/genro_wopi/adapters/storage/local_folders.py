"""Folders of the `local` back end, and moving a file between them. Blocking; run in its threads.

Moving gives the file its second name, moves its history, and takes the first name away. It holds
the locks of both paths, so that no save can be committed in between; a kill leaves two names of
one inode, and the next call goes on from there.
"""

import errno
import os
from contextlib import AbstractContextManager
from typing import Final, Protocol

from genro_wopi.adapters.storage.beneath import check_name, link, remove_quietly
from genro_wopi.adapters.storage.history import History
from genro_wopi.domain.errors import AlreadyExistsError, ConflictError
from genro_wopi.domain.paths import StoragePath, base_name

KEPT_FOLDERS: Final = 2
"""Depth of the folder in which deleted files lie."""


class Folders(Protocol):
    """What of `LocalStorage` is needed here."""

    def folder(self, segments: list[str], *, create: bool = False) -> AbstractContextManager[int]:
        """Open a folder below the root without following symbolic links."""
        ...

    def exclusively(self, *paths: StoragePath) -> AbstractContextManager[None]:
        """Keep other processes from committing or moving these paths."""
        ...

    def history(self, path: StoragePath) -> History:
        """Return the history of a path."""
        ...

    def settle(self, path: StoragePath) -> None:
        """Finish a commit at a path whose writer was killed."""
        ...


def make_folder(storage: Folders, path: StoragePath) -> None:
    """See StorageBackend.make_folder."""
    with storage.folder(_parents(path), create=True) as above:
        try:
            os.mkdir(_name(path), dir_fd=above)
        except FileExistsError as error:
            raise AlreadyExistsError(f"There is something named {path!r} already.") from error
        os.fsync(above)


def remove_folder(storage: Folders, path: StoragePath) -> None:
    """See StorageBackend.remove_folder."""
    with storage.folder(_parents(path)) as above:
        try:
            os.rmdir(_name(path), dir_fd=above)
        except OSError as error:
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
                raise ConflictError("The folder is not empty.") from error
            if error.errno == errno.ENOTDIR:
                raise FileNotFoundError(errno.ENOENT, "not a folder", path) from error
            raise
        os.fsync(above)


def move_file(storage: Folders, source: StoragePath, target: StoragePath) -> None:
    """See StorageBackend.move."""
    with storage.exclusively(source, target):
        storage.settle(source)
        with (
            storage.folder(_parents(source)) as source_folder,
            storage.folder(_parents(target), create=True) as target_folder,
        ):
            try:
                link(source_folder, _name(source), target_folder, _name(target))
            except FileExistsError:
                old = os.stat(_name(source), dir_fd=source_folder, follow_symlinks=False)
                new = os.stat(_name(target), dir_fd=target_folder, follow_symlinks=False)
                if (old.st_dev, old.st_ino) != (new.st_dev, new.st_ino):
                    raise AlreadyExistsError(f"There is a file {target!r} already.") from None
            storage.history(source).move_to(storage.history(target))
            os.fsync(target_folder)
            os.unlink(_name(source), dir_fd=source_folder)
            os.fsync(source_folder)


def purge_file(storage: Folders, path: StoragePath) -> None:
    """See StorageBackend.purge; folders that it leaves empty go too, up to the host's own."""
    with storage.exclusively(path):
        storage.history(path).purge()
        parents = _parents(path)
        try:
            with storage.folder(parents) as folder:
                remove_quietly(folder, _name(path))
        except FileNotFoundError:
            return
        while len(parents) > KEPT_FOLDERS:
            name = parents.pop()
            try:
                with storage.folder(parents) as above:
                    os.rmdir(name, dir_fd=above)
            except OSError:
                return


def _name(path: StoragePath) -> str:
    name = base_name(path)
    check_name(name)
    return name


def _parents(path: StoragePath) -> list[str]:
    return path.split("/")[:-1]
