"""Files in a folder of this machine. Class A: a commit is one ``link(2)``, see `history`.

Every path is walked segment by segment from the root without following symbolic links, so that
nothing outside `base_path` can be reached. Network folders are not supported: their ``link`` and
``fsync`` do not promise what the commit needs.
"""

import asyncio
import errno
import fcntl
import hashlib
import os
import shutil
import stat as stat_module
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

from genro_wopi.adapters.storage.history import (
    CommitRecord,
    History,
    fsync_folder,
    remove_quietly,
)
from genro_wopi.adapters.storage.local_folders import make_folder, move_file, remove_folder
from genro_wopi.adapters.storage.surroundings import StorageSurroundings, invalid
from genro_wopi.domain.errors import NotFoundError, StorageFullError
from genro_wopi.domain.files import Evidence, Head
from genro_wopi.domain.paths import RESERVED_SEGMENT, StoragePath, base_name
from genro_wopi.domain.storages import (
    Body,
    Capabilities,
    FolderEntry,
    HeadChangedError,
    OpenFile,
    ProbeReport,
    Storage,
    StorageFaultError,
)

READ_CHUNK_BYTES: Final = 512 * 1024
THREADS_MAX: Final = 16
FILE_MODE: Final = 0o644
HISTORIES_KEPT: Final = 4096
"""How many files' newest record a process remembers."""

_OPEN_ATTEMPTS: Final = 8
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

T = TypeVar("T")


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


class LocalStorage:
    """Implements `StorageBackend` over one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="local-storage")
        self.history = lru_cache(HISTORIES_KEPT)(self._history)

    def node(self, path: StoragePath) -> "LocalNode":
        """See StorageBackend."""
        return LocalNode(self, path)

    async def list_folder(self, path: StoragePath, *, limit: int) -> list[FolderEntry]:
        """See StorageBackend."""
        return await self.in_thread(lambda: self._list(path, limit))

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
            raise StorageFaultError("The moved file is gone again.")
        return head

    async def probe(self) -> ProbeReport:
        """See StorageBackend."""
        return await self.in_thread(self._probe)

    async def aclose(self) -> None:
        """See StorageBackend."""
        self._threads.shutdown(wait=False)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in this storage's threads and translate its errors."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
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
            for stripe in sorted({_digest(path)[:2] for path in paths}):
                descriptor = os.open(folder / stripe, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    def settle(self, path: StoragePath) -> None:
        """Finish a commit at a path whose writer was killed.

        Raises:
            FileNotFoundError: there is no file.
        """
        LocalNode(self, path).look()

    def rescued(self, rescue_id: str) -> Path:
        """Name a recovery copy."""
        return self.root / RESERVED_SEGMENT / "recovery" / rescue_id

    def _history(self, path: StoragePath) -> History:
        return History(self.root / RESERVED_SEGMENT / "history" / _digest(path))

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


class LocalNode:
    """Implements `StorageNode` for one file of a folder."""

    def __init__(self, storage: LocalStorage, path: StoragePath) -> None:
        self.capabilities = Capabilities(versioning=True, presigned_urls=False)
        self._storage = storage
        self._path = path
        self._parents = path.split("/")[:-1]
        self._name = base_name(path)

    @property
    def path(self) -> StoragePath:
        """See StorageNode."""
        return self._path

    async def stat(self) -> Head | None:
        """See StorageNode."""
        try:
            return await self._storage.in_thread(self._stat)
        except NotFoundError:
            return None

    @asynccontextmanager
    async def open_read(
        self, *, first: int = 0, last: int | None = None
    ) -> AsyncGenerator[OpenFile]:
        """See StorageNode."""
        descriptor, head = await self._storage.in_thread(self._open)
        try:
            end = head.size_bytes if last is None else last + 1
            yield OpenFile(head, self._chunks(descriptor, first, end))
        finally:
            os.close(descriptor)

    async def write_if(self, body: Body, evidence: Evidence, expected: Head | None) -> Head:
        """See StorageNode."""
        return await self._storage.in_thread(lambda: self._write_if(body, evidence, expected))

    async def keep(self, head: Head) -> None:
        """See StorageNode; a commit itself keeps what it replaces, by a hard link."""

    async def rescue(self, body: Body, rescue_id: str) -> None:
        """See StorageNode."""

        def work() -> None:
            target = self._storage.rescued(rescue_id)
            target.parent.mkdir(parents=True, exist_ok=True)
            _place(body, target)
            fsync_folder(target.parent)

        await self._storage.in_thread(work)

    @asynccontextmanager
    async def open_rescued(self, rescue_id: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See StorageNode."""
        target = self._storage.rescued(rescue_id)
        descriptor = await self._storage.in_thread(lambda: os.open(target, os.O_RDONLY))
        try:
            yield self._chunks(descriptor, 0, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)

    async def _chunks(self, descriptor: int, first: int, end: int) -> AsyncIterator[bytes]:
        offset = first
        while offset < end:
            size = min(READ_CHUNK_BYTES, end - offset)
            chunk = await self._storage.in_thread(
                lambda size=size, offset=offset: os.pread(descriptor, size, offset)
            )
            if not chunk:
                return
            offset += len(chunk)
            yield chunk

    def _stat(self) -> Head:
        return _head(*self.look())

    def look(self) -> tuple[os.stat_result, CommitRecord | None]:
        """Return the visible file with the newest record, finishing what was left undone.

        A writer moves its bytes into place after its commit point. Seen in between, the file still
        is what the record replaced: it is put in place, or looked at again if that just happened.
        """
        history = self._storage.history(self._path)
        for _ in range(_OPEN_ATTEMPTS):
            record = history.latest()
            with self._storage.folder(self._parents) as folder:
                status = self._visible(folder)
                if record is not None and record.replaced == _fingerprint(status):
                    if history.data(record.evidence.save_id).exists():
                        self._put_in_place(history, record, folder)
                    status_now = self._visible(folder)
                    if _fingerprint(status_now) != _fingerprint(status):
                        continue
            if status is None:
                raise FileNotFoundError(errno.ENOENT, "no such file", self._path)
            return status, record
        raise OSError(errno.EBUSY, "the file changes faster than it can be looked at")

    def _open(self) -> tuple[int, Head]:
        for _ in range(_OPEN_ATTEMPTS):
            head = self._stat()
            with self._storage.folder(self._parents) as folder:
                descriptor = os.open(self._name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
            if _fingerprint(os.fstat(descriptor)) == head.fingerprint:
                return descriptor, head
            os.close(descriptor)
        raise OSError(errno.EBUSY, "the file changes faster than it can be opened")

    def _write_if(self, body: Body, evidence: Evidence, expected: Head | None) -> Head:
        history = self._storage.history(self._path)
        self._require(expected)
        history.prepare()
        _place(body, history.data(evidence.save_id), mode=FILE_MODE)
        try:
            with self._storage.exclusively(self._path):
                return self._commit(history, evidence, expected)
        except BaseException:
            history.discard(evidence.save_id)
            raise

    def _require(self, expected: Head | None) -> str:
        """Return the fingerprint of the head if it is what is expected."""
        try:
            found = self._stat().fingerprint
        except FileNotFoundError:
            found = ""
        if found != (expected.fingerprint if expected else ""):
            raise HeadChangedError("The file is not what was expected.")
        return found

    def _commit(self, history: History, evidence: Evidence, expected: Head | None) -> Head:
        found = self._require(expected)
        record = history.latest()
        data = history.data(evidence.save_id)
        if not data.exists():
            raise HeadChangedError("The file was moved meanwhile.")
        with self._storage.folder(self._parents, create=True) as folder:
            status = self._visible(folder)
            if status is not None:
                data.chmod(stat_module.S_IMODE(status.st_mode))
            written = data.stat()
            next_record = CommitRecord(
                number=(record.number if record else 0) + 1,
                evidence=evidence,
                fingerprint=_fingerprint(written),
                replaced=found,
            )
            if not history.commit(next_record):
                raise HeadChangedError("Another writer was quicker.")
            self._put_in_place(history, next_record, folder)
        return _head(written, next_record)

    def _visible(self, folder: int) -> os.stat_result | None:
        try:
            status = os.stat(self._name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat_module.S_ISREG(status.st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a regular file", self._path)
        return status

    def _put_in_place(self, history: History, record: CommitRecord, folder: int) -> None:
        """Keep what is replaced and move the new bytes over it. Anybody may repeat it."""
        data = history.data(record.evidence.save_id)
        try:
            if record.replaced:
                with _ignoring(FileExistsError):
                    os.link(self._name, history.before(record.number), src_dir_fd=folder)
                os.replace(data, self._name, dst_dir_fd=folder)
            else:
                os.link(data, self._name, dst_dir_fd=folder)
                remove_quietly(data)
        except FileNotFoundError:
            return  # Somebody else put it in place.
        except FileExistsError:
            if _fingerprint(self._visible(folder)) != record.fingerprint:
                raise HeadChangedError("Another program created the file.") from None
            remove_quietly(data)
        fsync_folder(folder)


def _digest(path: StoragePath) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:32]


@contextmanager
def _ignoring(error: type[OSError]) -> Generator[None]:
    try:
        yield
    except error:
        return


def _make_folder(segment: str, parent: int) -> None:
    with _ignoring(FileExistsError):
        os.mkdir(segment, dir_fd=parent)


def _place(body: Body, target: Path, *, mode: int = 0o600) -> None:
    """Put a body's bytes at a name, durably; a spool on the same disk is linked, not copied."""
    remove_quietly(target)
    source = body.path
    if source is None:
        _copy_bytes(body.in_memory(), target, mode)
        return
    try:
        os.link(source, target)
    except OSError:
        _copy_file(source, target, body.size_bytes, mode)
        return
    target.chmod(mode)
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy_bytes(content: bytes, target: Path, mode: int) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _copy_file(source: Path, target: Path, size_bytes: int, mode: int) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file, source.open("rb") as content:
        os.fchmod(descriptor, mode)
        if size_bytes:
            os.posix_fallocate(descriptor, 0, size_bytes)
        shutil.copyfileobj(content, file, READ_CHUNK_BYTES)
        file.flush()
        os.fsync(descriptor)


def _fingerprint(status: os.stat_result | None) -> str:
    if status is None:
        return ""
    return f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"


def _head(status: os.stat_result, record: CommitRecord | None) -> Head:
    fingerprint = _fingerprint(status)
    is_ours = record is not None and record.fingerprint == fingerprint
    return Head(
        fingerprint=fingerprint,
        size_bytes=status.st_size,
        modified_us=status.st_mtime_ns // 1000,
        evidence=record.evidence if record is not None and is_ours else None,
    )


def _translated(error: OSError) -> Exception:
    if error.errno in _FULL:
        return StorageFullError("The storage is full; free space or raise the quota.")
    return StorageFaultError(f"The folder does not answer properly: {error.strerror}.")
