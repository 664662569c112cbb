"""Where a tenant's files lie, and the contract of every back end.

A `Storage` is the configuration; a `StorageNode` is one file in it. A save is committed by one
conditional write (`StorageNode.write_if`), never by a check followed by a write.
"""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from genro_wopi.domain.errors import HostError
from genro_wopi.domain.files import Evidence, Head, KeptVersion, fingerprint_of
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.places import Place
from genro_wopi.domain.record_owner import RecordOwner
from genro_wopi.domain.secrets import Sealed
from genro_wopi.domain.version_policy import VersionPolicy


class StorageProtocol(StrEnum):
    """The back ends."""

    LOCAL = "local"
    S3 = "s3"
    WEBDAV = "webdav"
    GENRO = "genro"


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """One storage of one tenant, as configured."""

    tenant_id: TenantId
    name: str
    protocol: StorageProtocol
    config: dict[str, str | bool]
    """What is not secret, as given."""
    sealed: dict[str, Sealed]
    """Secret fields by name."""
    revision: int
    """Rises with every change; clients of a storage are kept by tenant, name and revision."""
    created_us: int
    updated_us: int
    probe: "ProbeReport | None" = None
    versions: VersionPolicy = VersionPolicy()
    own_records_only: bool = False
    """The place was another tenant's before: what that one left under `.genro-wopi` does not
    count."""

    @property
    def owner(self) -> RecordOwner:
        """Whose records in it count."""
        return RecordOwner(self.tenant_id, self.own_records_only, self.created_us)

    def seal_context(self, field: str) -> str:
        """Name what a sealed field is bound to."""
        return f"{self.tenant_id}/storage/{self.name}/{field}"


class ProbeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a back end can really do, found by trying."""

    storage_class: str
    """``A``: its conditional writes are atomic; ``B``: saves are made one at a time under a lock;
    ``none``: saves could be lost, so none is made."""
    etag_quoted: bool
    """Whether If-Match takes the ETag with its quotation marks."""
    versioned: bool
    findings: tuple[str, ...]
    """In words, for the operator."""
    probed_us: int
    copies_checked: bool = False
    """Whether the store copies only what is still the object that was read; False where it was not
    tried."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a node's back end offers."""

    versioning: bool
    presigned_urls: bool


class FolderEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in a folder."""

    name: str
    is_folder: bool
    size_bytes: int
    modified_us: int


class FolderPage(msgspec.Struct, frozen=True):
    """A part of a folder."""

    entries: list[FolderEntry]
    cursor: str
    """Where the next page begins; empty where this is the last."""


def page_of(entries: list[FolderEntry], *, limit: int, cursor: str) -> FolderPage:
    """Cut a page out of a whole folder; its cursor is the last name."""
    rest = [e for e in sorted(entries, key=lambda e: e.name) if e.name > cursor]
    page = rest[:limit]
    return FolderPage(page, page[-1].name if len(rest) > limit else "")


class Body(Protocol):
    """Bytes that were received whole and wait to be stored."""

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        ...

    @property
    def sha256(self) -> str:
        """Their digest, hexadecimal."""
        ...

    @property
    def path(self) -> Path | None:
        """Where they lie on disk; None while they are held in memory."""
        ...

    def in_memory(self) -> bytes:
        """Return the bytes of a small body; only where `path` is None."""
        ...


class BodyReceiver(Protocol):
    """Receives bodies whole before they are stored."""

    def receive(
        self,
        chunks: AsyncIterable[bytes],
        *,
        holder: str,
        announced_bytes: int | None,
        size_bytes_max: int,
        chunk_timeout_s: float,
    ) -> AbstractAsyncContextManager[Body]:
        """Hold a body until the block ends; see `genro_wopi.adapters.spool.Spool.receive`."""
        ...


class OpenFile(msgspec.Struct, frozen=True):
    """A file being read: bytes, size and version come from one handle."""

    head: Head
    chunks: AsyncIterator[bytes]


class StorageNode(Protocol):
    """One file in a storage.

    Methods raise `NotFoundError` where there is no such file, `StorageFaultError` where the
    storage does not answer or answers nonsense, and `StorageFullError` where it has no room.
    """

    @property
    def path(self) -> StoragePath:
        """Where the file lies."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the back end can do."""
        ...

    async def stat(self) -> Head | None:
        """Return the head; None where there is no file."""
        ...

    def open_read(
        self, *, first: int = 0, last: int | None = None
    ) -> AbstractAsyncContextManager[OpenFile]:
        """Open the file for reading bytes `first` to `last` (included; None: the end)."""
        ...

    async def presigned_url(self, *, life_s: int) -> str | None:
        """Return a short-lived address at which the bytes can be read; None where none is given."""
        ...

    async def write_if(self, body: Body, evidence: Evidence, expected: Head | None) -> Head:
        """Store bytes and evidence in one step, if the head still is `expected`.

        MUST be atomic: of many concurrent calls with one `expected`, at most one succeeds. MUST
        leave the old head whole until the new one is complete.

        Args:
            body: the new bytes.
            evidence: kept with them.
            expected: the head that is replaced; None for a file that must not exist.

        Raises:
            HeadChangedError: the head is not `expected`; nothing was changed.
            StorageFaultError: it may or may not have been stored; `stat` tells.
        """
        ...

    async def keep(self, head: Head) -> None:
        """Keep the head's bytes as a version before they are replaced. Safe to repeat.

        Raises:
            HeadChangedError: the head is no longer the one given.
        """
        ...

    async def versions(self, *, limit: int) -> list[KeptVersion]:
        """Return what was kept, the newest first, without the head."""
        ...

    async def find_version(self, version: str) -> KeptVersion | None:
        """Return what was kept of one version; None where it is not there, or not any more."""
        ...

    def open_version(self, key: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Read kept bytes.

        Raises:
            NotFoundError: they are not there any more.
        """
        ...

    async def discard_version(self, key: str) -> None:
        """Remove kept bytes for good. Safe to repeat."""
        ...

    async def tidy(self) -> None:
        """Remove what writers that died long ago have left. It MUST be provably nobody's."""
        ...

    async def rescue(self, body: Body, rescue_id: str) -> None:
        """Keep a refused body as a recovery copy outside the tree of files."""
        ...

    def open_rescued(self, rescue_id: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Read a recovery copy."""
        ...

    async def discard_rescued(self, rescue_id: str) -> None:
        """Remove a recovery copy for good. Safe to repeat."""
        ...


class StorageBackend(Protocol):
    """One storage, open."""

    def node(self, path: StoragePath) -> StorageNode:
        """Name one file; nothing is read yet."""
        ...

    async def list_folder(self, path: StoragePath, *, limit: int) -> list[FolderEntry]:
        """List a folder by name, at most `limit` entries.

        Raises:
            NotFoundError: there is no such folder.
        """
        ...

    async def list_page(self, path: StoragePath, *, limit: int, cursor: str) -> FolderPage:
        """List a part of a folder, however large it is.

        Args:
            path: of the folder.
            limit: entries at most; a page may have fewer, even none, and another one after it.
            cursor: where the page before ended, as it said; empty for the first.

        Raises:
            NotFoundError: there is no such folder.
        """
        ...

    async def make_folder(self, path: StoragePath) -> None:
        """Make a folder, with those above it.

        Raises:
            AlreadyExistsError: there is a folder or a file of that name.
        """
        ...

    async def remove_folder(self, path: StoragePath) -> None:
        """Remove an empty folder.

        Raises:
            NotFoundError: there is no such folder.
            ConflictError: something is in it.
        """
        ...

    async def move(
        self, source: StoragePath, target: StoragePath, *, resumed: bool = False
    ) -> Head:
        """Move one file with its history; never over another one.

        MUST NOT lose a write that lands at `source` meanwhile: it moves too, or it is refused. A
        move that was cut short is finished by calling it again.

        Args:
            source: where the file lies.
            target: where it is to lie; its folder is made.
            resumed: an earlier call may have come half way.

        Returns:
            The head at its new place.

        Raises:
            NotFoundError: there is no file at `source`.
            AlreadyExistsError: `target` is taken.
        """
        ...

    async def purge(self, path: StoragePath) -> None:
        """Remove a file with all that was kept of it, for good. Safe to repeat."""
        ...

    async def probe(self) -> ProbeReport:
        """Try what the back end can really do."""
        ...

    async def aclose(self) -> None:
        """Give back connections and files."""
        ...


class StorageOpener(Protocol):
    """Opens storages and keeps them open, by tenant, name and revision."""

    async def open(self, storage: Storage) -> StorageBackend:
        """Return the back end of a configured storage.

        Raises:
            InvalidFieldsError: the configuration names something that is not allowed.
        """
        ...

    async def place(self, storage: Storage) -> Place:
        """Name where a storage lies; links on the way to a folder are followed."""
        ...


class HeadChangedError(HostError):
    """A conditional write found another head; nothing was written."""


def require_same(found: Head | None, expected: Head | None) -> None:
    """Compare heads where a store does not do it itself.

    Raises:
        HeadChangedError: they are not the same.
    """
    if fingerprint_of(found) != fingerprint_of(expected):
        raise HeadChangedError("The file is not what was expected.")


class StorageFaultError(HostError):
    """The storage did not answer, or not in a way that tells what happened."""


class OddAnswerError(StorageFaultError):
    """The storage answered, and said something of this one file that cannot be."""


class FileBusyError(StorageFaultError):
    """The storage answers, but this one file cannot be had now, since others hold it."""
