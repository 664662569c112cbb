"""Files in a folder of this machine. Class A: a commit is one ``link(2)``, see `history`.

Network folders are not supported: their ``link`` and ``fsync`` do not promise what the commit
needs.
"""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Final

from genro_wopi.adapters.storage.history import (
    remove_quietly,
)
from genro_wopi.adapters.storage.local_folders import (
    make_folder,
    move_file,
    purge_file,
    remove_folder,
)
from genro_wopi.adapters.storage.local_node import LocalNode
from genro_wopi.adapters.storage.local_root import LocalRoot
from genro_wopi.adapters.storage.surroundings import StorageSurroundings, invalid
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
    return LocalStorage(resolved)


def _allowed_folder(base_path: Path, roots: tuple[Path, ...]) -> Path:
    if not base_path.is_absolute():
        raise invalid("base_path", "use an absolute path")
    resolved = base_path.resolve()
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
        segments = path.split("/") if path else []
        with self.folder(segments) as descriptor, os.scandir(descriptor) as entries:
            found = [
                (e.name, e.is_dir(follow_symlinks=False), e.stat(follow_symlinks=False))
                for e in entries
                if not e.is_symlink() and e.name != RESERVED_SEGMENT
            ]
        found.sort(key=lambda e: e[0])
        return [
            FolderEntry(
                name=name,
                is_folder=is_folder,
                size_bytes=0 if is_folder else st.st_size,
                modified_us=st.st_mtime_ns // 1000,
            )
            for name, is_folder, st in found[:limit]
        ]

    def _probe(self) -> ProbeReport:
        folder = self.root / RESERVED_SEGMENT
        folder.mkdir(exist_ok=True)
        draft, target = folder / f"probe-{os.getpid()}", folder / f"probe-{os.getpid()}-linked"
        draft.write_bytes(b"probe")
        findings = ["The folder can be read and written."]
        try:
            os.link(draft, target)
            try:
                os.link(draft, target)
            except FileExistsError:
                findings.append("Hard links work and refuse a name that is taken.")
                storage_class = "A"
            else:
                findings.append(
                    "A hard link replaced a name that was taken: do not use this folder."
                )
                storage_class = "none"
        except OSError as error:
            findings.append(f"Hard links do not work here ({error.strerror}): use another folder.")
            storage_class = "none"
        finally:
            remove_quietly(draft)
            remove_quietly(target)
        free_bytes = shutil.disk_usage(self.root).free
        findings.append(f"{free_bytes // 2**20} MiB are free.")
        return ProbeReport(
            storage_class=storage_class,
            etag_quoted=True,
            versioned=False,
            findings=tuple(findings),
            probed_us=int(draft.parent.stat().st_mtime_ns // 1000),
        )
