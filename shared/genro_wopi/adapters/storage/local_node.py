"""One file of a folder. A commit is one ``link(2)``, see `history`."""

import errno
import os
import shutil
import stat as stat_module
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from genro_wopi.adapters.storage.history import (
    CommitRecord,
    History,
    fsync_folder,
    remove_quietly,
)
from genro_wopi.adapters.storage.local_root import LocalRoot, ignoring
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.files import Evidence, Head, KeptVersion, fingerprint_of
from genro_wopi.domain.paths import StoragePath, base_name
from genro_wopi.domain.storages import Body, Capabilities, HeadChangedError, OpenFile

READ_CHUNK_BYTES: Final = 512 * 1024
FILE_MODE: Final = 0o644
VERSIONS_MAX: Final = 100_000
"""Records that are searched for one version."""

LEFTOVER_AGE_S: Final = 3600.0
"""No write takes an hour: what is older and was never committed has no writer any more."""

_OPEN_ATTEMPTS: Final = 8


class LocalNode:
    """Implements `StorageNode` for one file of a folder."""

    def __init__(self, storage: LocalRoot, path: StoragePath) -> None:
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

    async def presigned_url(self, *, life_s: int) -> str | None:
        """See StorageNode; there are none."""
        del life_s

    async def write_if(self, body: Body, evidence: Evidence, expected: Head | None) -> Head:
        """See StorageNode."""
        return await self._storage.in_thread(lambda: self._write_if(body, evidence, expected))

    async def keep(self, head: Head) -> None:
        """See StorageNode; a commit itself keeps what it replaces, by a hard link."""

    async def versions(self, *, limit: int) -> list[KeptVersion]:
        """See StorageNode."""
        return await self._storage.in_thread(lambda: self._versions(limit))

    async def find_version(self, version: str) -> KeptVersion | None:
        """See StorageNode."""
        kept = await self._storage.in_thread(lambda: self._versions(VERSIONS_MAX))
        return next((k for k in kept if k.version == version), None)

    @asynccontextmanager
    async def open_version(self, key: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See StorageNode."""
        if not key.isascii() or not key.isdigit():
            raise NotFoundError("There is no such version.")
        kept = self._storage.history(self._path).before(int(key))
        descriptor = await self._storage.in_thread(lambda: os.open(kept, os.O_RDONLY))
        try:
            yield self._chunks(descriptor, 0, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)

    async def discard_version(self, key: str) -> None:
        """See StorageNode."""

        def work() -> None:
            with self._storage.exclusively(self._path):
                self._storage.history(self._path).forget(int(key))

        await self._storage.in_thread(work)

    async def tidy(self) -> None:
        """See StorageNode."""
        history = self._storage.history(self._path)
        await self._storage.in_thread(lambda: history.tidy(older_than_s=LEFTOVER_AGE_S))

    async def discard_rescued(self, rescue_id: str) -> None:
        """See StorageNode."""
        target = self._storage.rescued(rescue_id)
        await self._storage.in_thread(lambda: remove_quietly(target))

    async def rescue(self, body: Body, rescue_id: str) -> None:
        """See StorageNode."""

        def work() -> None:
            target = self._storage.rescued(rescue_id)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                _place(body, target)
            except OSError:
                remove_quietly(target)
                raise
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

    def _versions(self, limit: int) -> list[KeptVersion]:
        history = self._storage.history(self._path)
        found: list[KeptVersion] = []
        for number in history.kept()[:limit]:
            try:
                status = history.before(number).stat()
            except FileNotFoundError:
                continue
            made = history.record(number - 1)
            is_ours = made is not None and made.fingerprint == _fingerprint(status)
            found.append(
                KeptVersion(
                    key=str(number),
                    size_bytes=status.st_size,
                    modified_us=status.st_mtime_ns // 1000,
                    evidence=made.evidence if made is not None and is_ours else None,
                )
            )
        return found

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
        try:
            _place(body, history.data(evidence.save_id), mode=FILE_MODE)
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
        if found != fingerprint_of(expected):
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
                with ignoring(FileExistsError):
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
