"""A back end over any plain store: evidence and versions lie beside the files. Class B.

For one file there is one folder, named after the digest of its path:

* ``latest.json``     evidence of the newest version, and the fingerprint that it has
* ``pending.json``    evidence of a version that is being written
* ``<version>``       bytes that were replaced, with ``<version>.json``, their evidence

A commit holds the path, compares the head, writes ``pending.json``, the bytes, ``latest.json``. A
writer that dies between bytes and ``latest.json`` leaves a head that ``pending.json`` describes:
whoever sees it compares the digest of the bytes and completes what is missing.
"""

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from genro_wopi.adapters.storage.answers import FINGERPRINT_SIZE_MAX, sound
from genro_wopi.adapters.storage.plain_store import Entry, PlainStore
from genro_wopi.adapters.storage.records import RECORD_BYTES_MAX, Records
from genro_wopi.domain.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
)
from genro_wopi.domain.files import Evidence, Head, KeptVersion, Whole, foreign_version
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.paths import StoragePath, history_folder
from genro_wopi.domain.rescues import rescued_path
from genro_wopi.domain.storages import (
    Body,
    Capabilities,
    FileBusyError,
    FolderEntry,
    FolderPage,
    HeadChangedError,
    OpenFile,
    ProbeReport,
    page_of,
    require_same,
)

RECORDS_AT_ONCE: Final = 8
KEPT_MAX: Final = 10_000
FOLDER_MAX: Final = 100_000
REMEMBERED: Final = 4096
"""Files whose evidence a process remembers by their fingerprint."""

OPEN_ATTEMPTS: Final = 8

_RECORD: Final = ".json"
_NAME: Final = re.compile(r"(?:[0-9]{1,16}\.|kept-)[A-Za-z0-9_-]{1,64}")
"""What kept bytes are named after: a version."""


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """The newest version that was committed."""

    fingerprint: Annotated[str, Meta(max_length=FINGERPRINT_SIZE_MAX)]
    evidence: Evidence


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is being written."""

    size_bytes: Whole
    evidence: Evidence


R = TypeVar("R", Latest, Pending, Evidence)


class SidecarStorage:
    """Implements `StorageBackend` over a plain store."""

    def __init__(self, store: PlainStore, now_us: int, records: Records | None = None) -> None:
        self.store = store
        self.records = records or Records()
        self._opened_us = now_us
        self._remembered: OrderedDict[tuple[str, str], Evidence] = OrderedDict()

    def node(self, path: StoragePath) -> "SidecarNode":
        """See StorageBackend."""
        return SidecarNode(self, path)

    async def list_folder(self, path: StoragePath, *, limit: int) -> list[FolderEntry]:
        """See StorageBackend."""
        entries = await self.store.list_folder(path, limit=limit + 1)
        shown = (
            FolderEntry(
                name=e.name,
                is_folder=e.is_folder,
                size_bytes=e.size_bytes,
                modified_us=e.modified_us,
            )
            for e in sorted(entries, key=lambda e: e.name)
        )
        return sound(shown, self.records, limit)

    async def list_page(self, path: StoragePath, *, limit: int, cursor: str) -> FolderPage:
        """See StorageBackend."""
        everything = await self.list_folder(path, limit=FOLDER_MAX)
        return page_of(everything, limit=limit, cursor=cursor)

    async def make_folder(self, path: StoragePath) -> None:
        """See StorageBackend."""
        if await self.store.stat(path) is not None:
            raise AlreadyExistsError(f"There is something named {path!r} already.")
        await self.store.make_folder(path)

    async def remove_folder(self, path: StoragePath) -> None:
        """See StorageBackend."""
        entry = await self.store.stat(path)
        if entry is None or not entry.is_folder:
            raise NotFoundError("There is no such folder in the storage.")
        if await self.store.list_folder(path, limit=1):
            raise ConflictError("The folder is not empty.")
        await self.store.remove(path)

    async def move(
        self, source: StoragePath, target: StoragePath, *, resumed: bool = False
    ) -> Head:
        """See StorageBackend."""
        old = await self.node(source).stat()
        if old is not None:
            async with self.store.held(source) as hold:
                old = await self.node(source).stat()
                if old is not None:
                    await self.store.rename(source, target, hold)
        elif not resumed or await self.store.stat(target) is None:
            raise NotFoundError("There is no such file in the storage.")
        await self._move_history(source, target)
        entry = await self.store.stat(target)
        if entry is None:
            raise FileBusyError("The moved file is gone again.")
        if old is not None and old.evidence is not None:
            await self.remember(target, entry.fingerprint, old.evidence)
        return await self.node(target).head(entry)

    async def purge(self, path: StoragePath) -> None:
        """See StorageBackend."""
        await self.store.remove(history_folder(path))
        await self.store.remove(path)

    async def probe(self) -> ProbeReport:
        """See StorageBackend."""
        storage_class, findings = await self.store.probe()
        return ProbeReport(
            storage_class=storage_class,
            etag_quoted=True,
            versioned=False,
            findings=tuple(findings),
            probed_us=self._opened_us,
        )

    async def aclose(self) -> None:
        """See StorageBackend."""
        await self.store.aclose()

    async def record(self, path: str, kind: type[R]) -> tuple[R | None, bool]:
        """Read a record; None where there is none that counts, and whether there is one at all."""
        try:
            async with self.store.read(StoragePath(path)) as (_, chunks):
                received = bytearray()
                async for chunk in chunks:
                    received += chunk
                    if len(received) > RECORD_BYTES_MAX:
                        break
        except NotFoundError:
            return None, False
        is_large = len(received) > RECORD_BYTES_MAX
        record = self.records.read(None if is_large else bytes(received), kind, "history")
        evidence = record if isinstance(record, Evidence) else record and record.evidence
        counts = evidence is not None and self.records.counts(evidence)
        return (record if counts else None), True

    async def keep_record(self, path: str, record: msgspec.Struct) -> None:
        """Write a record."""
        await self.store.put(StoragePath(path), MemoryBody(msgspec.json.encode(record)))

    def recall(self, path: StoragePath, fingerprint: str) -> Evidence | None:
        """Return evidence that this process saw for these very bytes."""
        return self._remembered.get((path, fingerprint))

    async def remember(
        self, path: StoragePath, fingerprint: str, evidence: Evidence, *, write: bool = True
    ) -> None:
        """Note the evidence of the newest version, here and in the store."""
        if write:
            latest = Latest(fingerprint=fingerprint, evidence=evidence)
            await self.keep_record(f"{history_folder(path)}/latest{_RECORD}", latest)
        self._remembered[path, fingerprint] = evidence
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)

    async def _move_history(self, source: StoragePath, target: StoragePath) -> None:
        """Take the history along; what an earlier file of the target left is set aside."""
        old, new = history_folder(source), history_folder(target)
        if await self.store.stat(old) is None:
            return
        if await self.store.stat(new) is not None:
            aside = hashlib.sha256(f"{old} {self._opened_us}".encode()).hexdigest()[:16]
            await self.store.rename(new, StoragePath(f"{new}.retired-{aside}"))
        await self.store.rename(old, new)


class SidecarNode:
    """Implements `StorageNode` over a plain store."""

    def __init__(self, storage: SidecarStorage, path: StoragePath) -> None:
        self.capabilities = Capabilities(versioning=True, presigned_urls=False)
        self._storage = storage
        self._store = storage.store
        self._path = path
        self._history = history_folder(path)

    @property
    def path(self) -> StoragePath:
        """See StorageNode."""
        return self._path

    async def stat(self) -> Head | None:
        """See StorageNode."""
        entry = await self._store.stat(self._path)
        return None if entry is None or entry.is_folder else await self.head(entry)

    @asynccontextmanager
    async def open_read(
        self, *, first: int = 0, last: int | None = None
    ) -> AsyncGenerator[OpenFile]:
        """See StorageNode."""
        async with self._store.read(self._path, first=first, last=last) as (entry, chunks):
            yield OpenFile(await self.head(entry), chunks)

    async def presigned_url(self, *, life_s: int) -> str | None:
        """See StorageNode; there are none."""
        del life_s

    async def write_if(self, body: Body, evidence: Evidence, expected: Head | None) -> Head:
        """See StorageNode."""
        async with self._store.held(self._path) as hold:
            found = None if hold.made_file else await self.stat()
            require_same(found, expected)
            evidence = self._storage.records.own(evidence)
            pending = Pending(size_bytes=body.size_bytes, evidence=evidence)
            await self._storage.keep_record(f"{self._history}/pending{_RECORD}", pending)
            await self._store.put(self._path, body, hold)
            entry = await self._store.stat(self._path)
            if entry is None:
                raise FileBusyError("The file is gone again.")
            await self._storage.remember(self._path, entry.fingerprint, evidence)
        return _head(entry, evidence)

    async def head(self, entry: Entry) -> Head:
        """Return an entry with its evidence, completing what a writer that died left open."""
        storage, fingerprint = self._storage, entry.fingerprint
        evidence = storage.recall(self._path, fingerprint)
        if evidence is not None:
            return _head(entry, evidence)
        latest, is_there = await storage.record(f"{self._history}/latest{_RECORD}", Latest)
        if latest is not None and latest.fingerprint == fingerprint:
            await storage.remember(self._path, fingerprint, latest.evidence, write=False)
            return _head(entry, latest.evidence)
        is_bad = is_there and latest is None
        pending, is_there = await storage.record(f"{self._history}/pending{_RECORD}", Pending)
        is_bad = is_bad or (is_there and pending is None)
        if pending is None or pending.size_bytes != entry.size_bytes:
            return _head(entry, None, is_bad=is_bad)
        seen, digest = await self._digest()
        if seen.fingerprint != fingerprint or digest != pending.evidence.sha256:
            return _head(entry, None, is_bad=is_bad)
        await storage.remember(self._path, fingerprint, pending.evidence)
        return _head(entry, pending.evidence)

    async def keep(self, head: Head) -> None:
        """See StorageNode."""
        name = head.evidence.version if head.evidence else foreign_version(_short(head))
        await self._store.copy(self._path, StoragePath(f"{self._history}/{name}"))
        if head.evidence is not None:
            await self._storage.keep_record(f"{self._history}/{name}{_RECORD}", head.evidence)
        now = await self._store.stat(self._path)
        if now is None or now.fingerprint != head.fingerprint:
            raise HeadChangedError("The file changed while it was kept.")

    async def versions(self, *, limit: int) -> list[KeptVersion]:
        """See StorageNode."""
        try:
            entries = await self._store.list_folder(self._history, limit=KEPT_MAX)
        except NotFoundError:
            return []
        kept = [e for e in entries if not e.is_folder and _NAME.fullmatch(e.name)]
        kept.sort(key=lambda e: (e.modified_us, _sequence(e.name)), reverse=True)
        gate = asyncio.Semaphore(RECORDS_AT_ONCE)

        async def look(entry: Entry) -> KeptVersion | None:
            async with gate:
                return await self._kept(entry, entry.name)

        found = await asyncio.gather(*map(look, kept[:limit]))
        return [version for version in found if version is not None]

    async def find_version(self, version: str) -> KeptVersion | None:
        """See StorageNode."""
        if _NAME.fullmatch(version) is None:
            return None
        entry = await self._store.stat(StoragePath(f"{self._history}/{version}"))
        return None if entry is None or entry.is_folder else await self._kept(entry, version)

    @asynccontextmanager
    async def open_version(self, key: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See StorageNode."""
        async with self._store.read(self._kept_path(key)) as (_, chunks):
            yield chunks

    async def discard_version(self, key: str) -> None:
        """See StorageNode."""
        path = self._kept_path(key)
        await self._store.remove(path)
        await self._store.remove(StoragePath(f"{path}{_RECORD}"))

    def _kept_path(self, key: str) -> StoragePath:
        if _NAME.fullmatch(key) is None:
            raise NotFoundError("There is no such version.")
        return StoragePath(f"{self._history}/{key}")

    async def tidy(self) -> None:
        """See StorageNode; what a writer leaves is one small record, replaced by the next."""

    async def rescue(self, body: Body, rescue_id: str) -> None:
        """See StorageNode."""
        await self._store.put(rescued_path(rescue_id), body)

    @asynccontextmanager
    async def open_rescued(self, rescue_id: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See StorageNode."""
        async with self._store.read(rescued_path(rescue_id)) as (_, chunks):
            yield chunks

    async def discard_rescued(self, rescue_id: str) -> None:
        """See StorageNode."""
        await self._store.remove(rescued_path(rescue_id))

    async def _kept(self, entry: Entry, name: str) -> KeptVersion | None:
        path = f"{self._history}/{name}{_RECORD}"
        evidence, is_there = await self._storage.record(path, Evidence)
        is_shown = self._storage.records.owner.shows(
            has_evidence=evidence is not None,
            has_bad_record=is_there and evidence is None,
            modified_us=entry.modified_us,
        )
        if not is_shown:
            return None
        return KeptVersion(
            key=name,
            size_bytes=entry.size_bytes,
            modified_us=entry.modified_us,
            evidence=evidence,
        )

    async def _digest(self) -> tuple[Entry, str]:
        digest = hashlib.sha256()
        async with self._store.read(self._path) as (entry, chunks):
            async for chunk in chunks:
                await asyncio.to_thread(digest.update, chunk)
        return entry, digest.hexdigest()


def _head(entry: Entry, evidence: Evidence | None, *, is_bad: bool = False) -> Head:
    return Head(
        fingerprint=entry.fingerprint,
        size_bytes=entry.size_bytes,
        modified_us=entry.modified_us,
        evidence=evidence,
        has_bad_record=is_bad,
    )


def _short(head: Head) -> str:
    return hashlib.sha256(head.fingerprint.encode()).hexdigest()[:16]


def _sequence(version: str) -> int:
    number = version.partition(".")[0]
    return int(number) if number.isascii() and number.isdigit() else 0
