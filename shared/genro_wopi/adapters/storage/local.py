"""Files in a folder of this machine. Class A: a commit is one ``link(2)``, see `history`.

Network folders are not supported: their ``link`` and ``fsync`` do not promise what the commit
needs.
"""

import asyncio
import os
import stat as stat_module
from pathlib import Path
from typing import Final

from genro_wopi.adapters.storage.answers import moment_of, sound
from genro_wopi.adapters.storage.beneath import create_file, link, remove_quietly
from genro_wopi.adapters.storage.local_folders import (
    make_folder,
    move_file,
    purge_file,
    remove_folder,
)
from genro_wopi.adapters.storage.local_node import LocalNode
from genro_wopi.adapters.storage.local_root import LocalRoot
from genro_wopi.adapters.storage.surroundings import (
    RESERVED_PROBLEM,
    StorageSurroundings,
    has_reserved,
    invalid,
)
from genro_wopi.domain.files import Head
from genro_wopi.domain.paths import RESERVED_SEGMENT, StoragePath
from genro_wopi.domain.storages import (
    FileBusyError,
    FolderEntry,
    FolderPage,
    ProbeReport,
    Storage,
    page_of,
)

FOLDER_MAX: Final = 1_000_000
"""Names of one folder that are sorted in memory."""


async def build(storage: Storage, surroundings: StorageSurroundings) -> "LocalStorage":
    """Open a configured storage.

    Raises:
        InvalidFieldsError: its folder is not one that this host may use.
    """
    base_path = Path(str(storage.config.get("base_path", "")))
    resolved = await asyncio.to_thread(_allowed_folder, base_path, surroundings.local_roots)
    return LocalStorage(resolved, surroundings.records(storage))


def _allowed_folder(base_path: Path, roots: tuple[Path, ...]) -> Path:
    if not base_path.is_absolute():
        raise invalid("base_path", "use an absolute path")
    resolved = base_path.resolve()
    if has_reserved(resolved.parts):
        raise invalid("base_path", RESERVED_PROBLEM)
    if resolved == Path("/") or not any(resolved.is_relative_to(r.resolve()) for r in roots):
        raise invalid("base_path", "it must lie inside one of WOPI_LOCAL_ROOTS")
    try:
        resolved.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise invalid("base_path", f"it cannot be used: {error.strerror}") from error
    return resolved


class LocalStorage(LocalRoot):
    """Implements `StorageBackend` over one folder."""

    def node(self, path: StoragePath) -> LocalNode:
        """See StorageBackend."""
        return LocalNode(self, path)

    async def list_folder(self, path: StoragePath, *, limit: int) -> list[FolderEntry]:
        """See StorageBackend."""
        return await self.in_thread(lambda: self._list(path, limit))

    async def list_page(self, path: StoragePath, *, limit: int, cursor: str) -> FolderPage:
        """See StorageBackend."""
        everything = await self.list_folder(path, limit=FOLDER_MAX)
        return page_of(everything, limit=limit, cursor=cursor)

    async def make_folder(self, path: StoragePath) -> None:
        """See StorageBackend."""
        await self.in_thread(lambda: make_folder(self, path))

    async def remove_folder(self, path: StoragePath) -> None:
        """See StorageBackend."""
        await self.in_thread(lambda: remove_folder(self, path))

    async def move(
        self, source: StoragePath, target: StoragePath, *, resumed: bool = False
    ) -> Head:
        """See StorageBackend."""
        del resumed  # Two names of one inode tell by themselves that a move came half way.
        await self.in_thread(lambda: move_file(self, source, target))
        head = await self.node(target).stat()
        if head is None:
            raise FileBusyError("The moved file is gone again.")
        return head

    async def purge(self, path: StoragePath) -> None:
        """See StorageBackend."""
        await self.in_thread(lambda: purge_file(self, path))

    async def probe(self) -> ProbeReport:
        """See StorageBackend."""
        return await self.in_thread(self._probe)

    async def aclose(self) -> None:
        """See StorageBackend."""
        self.threads.shutdown(wait=False)

    def settle(self, path: StoragePath) -> None:
        """Finish a commit at a path whose writer was killed.

        Raises:
            FileNotFoundError: there is no file.
        """
        LocalNode(self, path).look()

    def _list(self, path: StoragePath, limit: int) -> list[FolderEntry]:
        with (
            self.folder(path.split("/") if path else []) as folder,
            os.scandir(folder) as entries,
        ):
            found = [e.name for e in entries if not e.is_symlink()]
            shown = (self._entry(folder, name) for name in sorted(found))
            return sound((e for e in shown if e is not None), self.records, limit)

    def _entry(self, folder: int, name: str) -> FolderEntry | None:
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        is_folder = stat_module.S_ISDIR(status.st_mode)
        if not is_folder and not stat_module.S_ISREG(status.st_mode):
            return None
        return FolderEntry(
            name=name,
            is_folder=is_folder,
            size_bytes=0 if is_folder else status.st_size,
            modified_us=moment_of(status.st_mtime_ns // 1000),
        )

    def _probe(self) -> ProbeReport:
        with self.folder([RESERVED_SEGMENT], create=True) as folder:
            storage_class, finding = _probe_links(folder)
            room = os.fstatvfs(folder)
            status = os.fstat(folder)
        free_bytes = room.f_bavail * room.f_frsize
        return ProbeReport(
            storage_class=storage_class,
            etag_quoted=True,
            versioned=False,
            findings=(
                "The folder can be read and written.",
                finding,
                f"{free_bytes // 2**20} MiB are free.",
            ),
            probed_us=status.st_mtime_ns // 1000,
        )


def _probe_links(folder: int) -> tuple[str, str]:
    """Try whether a hard link is a commit point; return the class, and why in words."""
    draft, target = f"probe-{os.getpid()}", f"probe-{os.getpid()}-linked"
    remove_quietly(folder, draft)
    remove_quietly(folder, target)
    with os.fdopen(create_file(folder, draft, 0o600), "wb") as file:
        file.write(b"probe")
    try:
        link(folder, draft, folder, target)
        link(folder, draft, folder, target)
    except FileExistsError:
        return "A", "Hard links work and refuse a name that is taken."
    except OSError as error:
        return "none", f"Hard links do not work here ({error.strerror}): use another folder."
    finally:
        remove_quietly(folder, draft)
        remove_quietly(folder, target)
    return "none", "A hard link replaced a name that was taken: do not use this folder."
