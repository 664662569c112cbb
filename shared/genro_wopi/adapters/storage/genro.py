"""Any mount of the `genro-storage` package: gcs, azure, smb, sftp, git … Class B, by a lease.

Those back ends neither take conditions nor lock, so a commit holds a lease of the cluster while it
compares and writes. That is weaker than a lock of the store's own: a process that stops for longer
than the lease lasts may write late. What it replaces was kept, and nothing is lost unseen.

The package is synchronous: its calls run in a bounded pool of threads of their own.

Needs the extra ``genro-wopi[genro]`` and the libraries of the mount's protocol.
"""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import msgspec
from genro_storage import StorageManager
from genro_storage.exceptions import StorageError, StorageNotFoundError

from genro_wopi.adapters.storage.answers import moment_of, size_of
from genro_wopi.adapters.storage.plain_store import Entry, Hold
from genro_wopi.adapters.storage.sidecar import SidecarStorage
from genro_wopi.adapters.storage.surroundings import (
    RESERVED_PROBLEM,
    StorageSurroundings,
    has_reserved,
    invalid,
)
from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.errors import AlreadyExistsError, NotFoundError, UnavailableError
from genro_wopi.domain.leases import Leases
from genro_wopi.domain.paths import RESERVED_SEGMENT, StoragePath, inner_path
from genro_wopi.domain.storages import (
    Body,
    FileBusyError,
    OddAnswerError,
    Storage,
    StorageFaultError,
)

THREADS_MAX: Final = 8
CHUNK_BYTES: Final = 512 * 1024
CALL_TIMEOUT_S: Final = 60.0
READ_ATTEMPTS: Final = 5
LEASE_WAIT_S: Final = 5.0

_MOUNT: Final = "wopi"
_REFUSED_PROTOCOLS: Final = frozenset({"memory", "base64", "http", "relative"})
"""Not shared by the processes of the cluster, or not writable."""

T = TypeVar("T")


async def build(storage: Storage, surroundings: StorageSurroundings) -> SidecarStorage:
    """Open a configured storage.

    Raises:
        InvalidFieldsError: the mount cannot be made, or names what this host may not use.
    """
    options: dict[str, Any] = dict(storage.config)
    for name, sealed in storage.sealed.items():
        context = storage.seal_context(name)
        options[name] = surroundings.ring.open(sealed, context=context).reveal()
    protocol = str(options.get("protocol", ""))
    inside: Path | None = None
    for name, value in storage.config.items():
        if has_reserved(str(value).split("/")):
            raise invalid(name, RESERVED_PROBLEM)
    if not protocol or protocol in _REFUSED_PROTOCOLS:
        raise invalid("protocol", "name a protocol of genro-storage that can be written to")
    if protocol == "local":
        folder = Path(str(options.get("path", "")))
        if not await asyncio.to_thread(_is_inside, folder, surroundings.local_roots):
            raise invalid("path", "it must lie inside one of WOPI_LOCAL_ROOTS")
        inside = Path(await asyncio.to_thread(os.path.realpath, folder))
    threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="genro-storage")
    manager: Any = StorageManager()
    try:
        await asyncio.get_running_loop().run_in_executor(
            threads, lambda: manager.configure([{**options, "name": _MOUNT}])
        )
    except (StorageError, ImportError, TypeError, ValueError) as error:
        raise invalid("protocol", f"genro-storage cannot use this mount: {error}") from error
    lease_name = f"{storage.tenant_id}/{storage.name}"
    store = GenroStore(manager, threads, surroundings.leases, lease_name, inside)
    return SidecarStorage(store, SystemClock().now_us(), surroundings.records(storage))


def _is_inside(folder: Path, roots: tuple[Path, ...]) -> bool:
    return any(folder.resolve().is_relative_to(root.resolve()) for root in roots)


class LeaseHold(msgspec.Struct, frozen=True):
    """The lease of a path; nothing is made by holding it."""

    made_file: bool = False


class GenroStore:
    """Implements `PlainStore` over one mount."""

    storage_class = "B"

    def __init__(
        self,
        manager: Any,  # noqa: ANN401 - the package's own types are incomplete
        threads: ThreadPoolExecutor,
        leases: Leases,
        lease_name: str,
        inside: Path | None = None,
    ) -> None:
        self._manager = manager
        self._threads = threads
        self._leases = leases
        self._lease_name = lease_name
        self._inside = inside
        """The folder of a mount on this machine, without links; its package follows them."""

    async def stat(self, path: StoragePath) -> Entry | None:
        """See PlainStore."""
        return await self._run(lambda: _entry(self._node(path), ""))

    @asynccontextmanager
    async def read(
        self, path: StoragePath, *, first: int = 0, last: int | None = None
    ) -> AsyncGenerator[tuple[Entry, AsyncIterator[bytes]]]:
        """See PlainStore; the file is spooled, since a write may change it under a reader."""

        def opened() -> tuple[Entry, IO[bytes]]:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the block
            try:
                for _ in range(READ_ATTEMPTS):
                    entry = self._spool(path, file)
                    if entry is not None:
                        file.seek(first)
                        return entry, file
            except BaseException:
                file.close()
                raise
            file.close()
            raise FileBusyError("The file changes faster than it can be read.")

        entry, file = await self._run(opened)
        left = (entry.size_bytes if last is None else last + 1) - first
        try:
            yield entry, self._chunks(file, left)
        finally:
            await self._run(file.close)

    async def put(self, path: StoragePath, body: Body, hold: Hold | None = None) -> None:
        """See PlainStore; the bytes are whole elsewhere before they replace the old ones."""
        del hold  # The lease is held by name; the store does not know of it.
        draft = StoragePath(f"{RESERVED_SEGMENT}/staging/{uuid.uuid4().hex}")

        def work() -> None:
            self._make_parents(draft)
            self._make_parents(path)
            node = self._node(draft)
            with node.open("wb") as file:
                for chunk in _chunks_of(body):
                    file.write(chunk)
            node.move_to(self._node(path))

        await self._run(work)

    async def copy(self, source: StoragePath, target: StoragePath) -> None:
        """See PlainStore."""

        def work() -> None:
            self._make_parents(target)
            self._node(source).copy_to(self._node(target))

        await self._run(work)

    async def rename(
        self, source: StoragePath, target: StoragePath, hold: Hold | None = None
    ) -> None:
        """See PlainStore."""
        del hold  # As in `put`.

        def work() -> None:
            if self._node(target).exists():
                raise AlreadyExistsError(f"There is something named {target!r} already.")
            self._make_parents(target)
            self._node(source).move_to(self._node(target))

        await self._run(work)

    async def remove(self, path: StoragePath) -> None:
        """See PlainStore."""

        def work() -> None:
            node = self._node(path)
            if node.exists():
                node.delete()

        await self._run(work)

    async def list_folder(self, path: StoragePath, *, limit: int) -> list[Entry]:
        """See PlainStore."""

        def work() -> list[Entry]:
            folder = self._node(path)
            if path and not folder.is_dir():
                raise NotFoundError("There is no such folder in the storage.")
            children = sorted(folder.children(), key=lambda c: str(c.basename))
            found = [self._listed(path, str(child.basename)) for child in children[:limit]]
            return [entry for entry in found if entry is not None]

        return await self._run(work)

    async def make_folder(self, path: StoragePath) -> None:
        """See PlainStore."""
        await self._run(lambda: self._node(path).mkdir(parents=True, exist_ok=True))

    @asynccontextmanager
    async def held(self, path: StoragePath) -> AsyncGenerator[LeaseHold]:
        """See PlainStore."""
        try:
            async with self._leases.held(f"{self._lease_name}/{path}", wait_s=LEASE_WAIT_S):
                yield LeaseHold()
        except UnavailableError as error:
            raise FileBusyError(str(error)) from error

    async def probe(self) -> tuple[str, list[str]]:
        """See PlainStore."""
        path = StoragePath(f"{RESERVED_SEGMENT}/probe/{uuid.uuid4().hex}")

        def work() -> bool:
            self._make_parents(path)
            node = self._node(path)
            with node.open("wb") as file:
                file.write(b"probe")
            with node.open("rb") as file:
                is_same = file.read() == b"probe"
            node.delete()
            return is_same

        if not await self._run(work):
            return "none", ["What was written is not what is read."]
        return self.storage_class, [
            "The mount can be read and written.",
            "Class B: a save is made under a lease that programs outside do not see.",
        ]

    async def aclose(self) -> None:
        """See PlainStore."""
        self._threads.shutdown(wait=False)

    def _node(self, path: str) -> Any:  # noqa: ANN401 - the package's own types are incomplete
        inner_path(path)
        if self._inside is not None:
            real = Path(os.path.realpath(self._inside / path))
            if real != self._inside / path:
                raise NotFoundError("There is no such file in the storage.")
        return self._manager.node(f"{_MOUNT}:{path}")

    def _listed(self, folder: str, name: str) -> Entry | None:
        """Describe one entry of a list; one that leads elsewhere, or cannot be, is left out."""
        try:
            return _entry(self._node(f"{folder}/{name}" if folder else name), name)
        except (NotFoundError, OddAnswerError):
            return None

    def _spool(self, path: str, file: IO[bytes]) -> Entry | None:
        """Copy a file into a spool; None where it changed meanwhile."""
        node = self._node(path)
        entry = _entry(node, "")
        if entry is None or entry.is_folder:
            raise NotFoundError("There is no such file in the storage.")
        file.seek(0)
        file.truncate()
        with node.open("rb") as source:
            shutil.copyfileobj(source, file, CHUNK_BYTES)
        return entry if _entry(self._node(path), "") == entry else None

    def _make_parents(self, path: str) -> None:
        folder = path.rpartition("/")[0]
        if folder:
            self._node(folder).mkdir(parents=True, exist_ok=True)

    async def _chunks(self, file: IO[bytes], left: int) -> AsyncIterator[bytes]:
        while left > 0:
            size = min(CHUNK_BYTES, left)
            chunk = await self._run(lambda size=size: file.read(size))
            if not chunk:
                return
            left -= len(chunk)
            yield chunk

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except (StorageNotFoundError, FileNotFoundError) as error:
            raise NotFoundError("There is no such file in the storage.") from error
        except (StorageError, OSError) as error:
            raise StorageFaultError(f"The mount does not answer properly: {error}.") from error


def _entry(node: Any, name: str) -> Entry | None:  # noqa: ANN401 - the package's own types are incomplete
    if not node.exists():
        return None
    if node.is_dir():
        return Entry(name=name, is_folder=True, fingerprint="", size_bytes=0, modified_us=0)
    size_bytes, modified_us = size_of(node.size()), moment_of(float(node.mtime()) * 1_000_000)
    return Entry(
        name=name,
        is_folder=False,
        fingerprint=f"{size_bytes:x}-{modified_us:x}",
        size_bytes=size_bytes,
        modified_us=modified_us,
    )


def _chunks_of(body: Body) -> Iterator[bytes]:
    if body.path is None:
        yield body.in_memory()
        return
    with body.path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
