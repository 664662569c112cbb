"""One file of a folder. A commit is one ``link(2)``, see `history`."""

import errno
import os
import shutil
import stat as stat_module
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from genro_wopi.adapters.storage.answers import moment_of
from genro_wopi.adapters.storage.beneath import (
    NOT_REGULAR,
    check_name,
    create_file,
    is_there,
    link,
    look,
    open_file,
    remove_quietly,
)
from genro_wopi.adapters.storage.history import (
    CommitRecord,
    History,
    Newest,
    before_name,
    data_name,
    kept_numbers,
)
from genro_wopi.adapters.storage.local_root import LocalRoot, ignoring
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.files import Evidence, Head, KeptVersion, fingerprint_of
from genro_wopi.domain.paths import StoragePath, base_name
from genro_wopi.domain.rescues import rescued_path
from genro_wopi.domain.storages import Body, Capabilities, HeadChangedError, OpenFile

READ_CHUNK_BYTES: Final = 512 * 1024
FILE_MODE: Final = 0o644
VERSIONS_MAX: Final = 100_000
"""Records that are searched for one version."""

LEFTOVER_AGE_S: Final = 3600.0
"""No write takes an hour: what is older and was never committed has no writer any more."""

KEY_SIZE_MAX: Final = 15
"""Digits of a version's number."""

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
        number = _number(key)
        history = self._storage.history(self._path)

        def work() -> int:
            with history.opened() as folder:
                if folder is None:
                    raise NotFoundError("There is no such version.")
                return open_file(folder, before_name(number))

        async with self._opened(work) as chunks:
            yield chunks

    async def discard_version(self, key: str) -> None:
        """See StorageNode."""

        def work() -> None:
            with self._storage.exclusively(self._path):
                self._storage.history(self._path).forget(_number(key))

        await self._storage.in_thread(work)

    async def tidy(self) -> None:
        """See StorageNode."""
        history = self._storage.history(self._path)
        await self._storage.in_thread(lambda: history.tidy(older_than_s=LEFTOVER_AGE_S))

    async def discard_rescued(self, rescue_id: str) -> None:
        """See StorageNode."""
        *parents, name = rescued_path(rescue_id).split("/")

        def work() -> None:
            with self._storage.folder(parents) as folder:
                remove_quietly(folder, name)

        with suppress(NotFoundError):
            await self._storage.in_thread(work)

    async def rescue(self, body: Body, rescue_id: str) -> None:
        """See StorageNode."""
        *parents, name = rescued_path(rescue_id).split("/")

        def work() -> None:
            with self._storage.folder(parents, create=True) as folder:
                try:
                    _place(body, folder, name)
                except OSError:
                    remove_quietly(folder, name)
                    raise
                os.fsync(folder)

        await self._storage.in_thread(work)

    @asynccontextmanager
    async def open_rescued(self, rescue_id: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See StorageNode."""
        *parents, name = rescued_path(rescue_id).split("/")

        def work() -> int:
            with self._storage.folder(parents) as folder:
                return open_file(folder, name)

        async with self._opened(work) as chunks:
            yield chunks

    @asynccontextmanager
    async def _opened(self, work: Callable[[], int]) -> AsyncGenerator[AsyncIterator[bytes]]:
        descriptor = await self._storage.in_thread(work)
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
        only_own = self._storage.records.owner.only_own
        with history.opened() as folder:
            if folder is None:
                return []
            for number in kept_numbers(folder)[:limit]:
                try:
                    status = look(folder, before_name(number))
                except FileNotFoundError:
                    continue
                if only_own and history.record(folder, number) is None:
                    continue  # Whoever replaced these bytes was the tenant before.
                made = history.record(folder, number - 1) if number > 1 else None
                is_ours = made is not None and made.fingerprint == _fingerprint(status)
                found.append(
                    KeptVersion(
                        key=str(number),
                        size_bytes=status.st_size,
                        modified_us=moment_of(status.st_mtime_ns // 1000),
                        evidence=made.evidence if made is not None and is_ours else None,
                    )
                )
        return found

    def _stat(self) -> Head:
        return _head(*self.look())

    def look(self) -> tuple[os.stat_result, Newest]:
        """Return the visible file with the newest record, finishing what was left undone.

        A writer moves its bytes into place after its commit point. Seen in between, the file still
        is what the record replaced: it is put in place, or looked at again if that just happened.
        """
        history = self._storage.history(self._path)
        for _ in range(_OPEN_ATTEMPTS):
            with history.opened() as kept, self._storage.folder(self._parents) as folder:
                newest = history.newest_in(kept)
                record = newest.record
                status = self._visible(folder)
                if kept is not None and record and record.replaced == _fingerprint(status):
                    if is_there(kept, data_name(record.evidence.save_id)):
                        self._put_in_place(kept, record, folder)
                    if _fingerprint(self._visible(folder)) != _fingerprint(status):
                        continue
            if status is None:
                raise FileNotFoundError(errno.ENOENT, "no such file", self._path)
            return status, newest
        raise OSError(errno.EBUSY, "the file changes faster than it can be looked at")

    def _open(self) -> tuple[int, Head]:
        for _ in range(_OPEN_ATTEMPTS):
            head = self._stat()
            with self._storage.folder(self._parents) as folder:
                descriptor = open_file(folder, self._name)
            if _fingerprint(os.fstat(descriptor)) == head.fingerprint:
                return descriptor, head
            os.close(descriptor)
        raise OSError(errno.EBUSY, "the file changes faster than it can be opened")

    def _write_if(self, body: Body, evidence: Evidence, expected: Head | None) -> Head:
        history = self._storage.history(self._path)
        self._require(expected)
        own = self._storage.records.own(evidence)
        with history.opened(create=True) as kept:
            if kept is None:
                raise OSError(errno.ENOTDIR, "the file's history is no folder")
            try:
                _place(body, kept, data_name(own.save_id), mode=FILE_MODE)
                with self._storage.exclusively(self._path):
                    return self._commit(history, kept, own, expected)
            except BaseException:
                remove_quietly(kept, data_name(own.save_id))
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

    def _commit(
        self, history: History, kept: int, evidence: Evidence, expected: Head | None
    ) -> Head:
        found = self._require(expected)
        newest = history.newest_in(kept)
        data = data_name(evidence.save_id)
        if not self._is_history(history, kept) or not is_there(kept, data):
            raise HeadChangedError("The file was moved meanwhile.")
        with self._storage.folder(self._parents, create=True) as folder:
            status = self._visible(folder)
            written = _with_mode(kept, data, status)
            next_record = CommitRecord(
                number=newest.number + 1,
                evidence=evidence,
                fingerprint=_fingerprint(written),
                replaced=found,
            )
            if not history.commit(kept, next_record):
                raise HeadChangedError("Another writer was quicker.")
            self._put_in_place(kept, next_record, folder)
        return _head(written, Newest(next_record.number, next_record))

    def _is_history(self, history: History, kept: int) -> bool:
        """Tell whether an open folder still is the file's history: it moves with the file."""
        with history.opened() as now:
            return now is not None and os.path.samestat(os.fstat(now), os.fstat(kept))

    def _visible(self, folder: int) -> os.stat_result | None:
        try:
            return look(folder, self._name)
        except FileNotFoundError as error:
            if error.strerror == NOT_REGULAR:
                raise
            return None

    def _put_in_place(self, kept: int, record: CommitRecord, folder: int) -> None:
        """Keep what is replaced and move the new bytes over it. Anybody may repeat it."""
        data = data_name(record.evidence.save_id)
        try:
            if record.replaced:
                with ignoring(FileExistsError):
                    link(folder, self._name, kept, before_name(record.number))
                os.replace(data, self._name, src_dir_fd=kept, dst_dir_fd=folder)
            else:
                link(kept, data, folder, self._name)
                remove_quietly(kept, data)
        except FileNotFoundError:
            return  # Somebody else put it in place.
        except FileExistsError:
            if _fingerprint(self._visible(folder)) != record.fingerprint:
                raise HeadChangedError("Another program created the file.") from None
            remove_quietly(kept, data)
        os.fsync(folder)


def _number(key: str) -> int:
    """Read the key of a kept version.

    Raises:
        NotFoundError: it is none.
    """
    if not key.isascii() or not key.isdigit() or len(key) > KEY_SIZE_MAX:
        raise NotFoundError("There is no such version.")
    return int(key)


def _with_mode(folder: int, name: str, status: os.stat_result | None) -> os.stat_result:
    """Give a file the mode of the one that it replaces; return its status."""
    descriptor = open_file(folder, name)
    try:
        if status is not None:
            os.fchmod(descriptor, stat_module.S_IMODE(status.st_mode))
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _place(body: Body, folder: int, name: str, *, mode: int = 0o600) -> None:
    """Put a body's bytes at a name, durably; a spool on the same disk is linked, not copied."""
    check_name(name)
    remove_quietly(folder, name)
    source = body.path
    if source is None:
        _copy_bytes(body.in_memory(), folder, name, mode)
        return
    try:
        os.link(source, name, dst_dir_fd=folder, follow_symlinks=False)
    except OSError:
        _copy_file(source, folder, name, body.size_bytes, mode)
        return
    descriptor = open_file(folder, name)
    try:
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy_bytes(content: bytes, folder: int, name: str, mode: int) -> None:
    descriptor = create_file(folder, name, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _copy_file(source: Path, folder: int, name: str, size_bytes: int, mode: int) -> None:
    descriptor = create_file(folder, name, mode)
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


def _head(status: os.stat_result, newest: Newest) -> Head:
    fingerprint = _fingerprint(status)
    record = newest.record
    is_ours = record is not None and record.fingerprint == fingerprint
    return Head(
        fingerprint=fingerprint,
        size_bytes=status.st_size,
        modified_us=moment_of(status.st_mtime_ns // 1000),
        evidence=record.evidence if record is not None and is_ours else None,
        has_bad_record=newest.is_bad,
    )
