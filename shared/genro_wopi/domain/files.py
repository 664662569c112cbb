"""A file as this host knows it: its identity, its head, and the evidence kept with its bytes.

The *head* is the newest version of the bytes. `Evidence` is written together with them, in one
step, so that it can never disagree with them; the `FileRecord` in Redis is a copy for speed. When
somebody else writes the file, the head has no evidence that we know, and the registry gives it a
version of its own.
"""

import hashlib
from typing import Annotated, Final, Protocol

import msgspec
from msgspec import Meta

from genro_wopi.domain.identifiers import FileId, SessionId, TenantId, Version
from genro_wopi.domain.paths import RESERVED_SEGMENT, StoragePath

MOMENT_US_MAX: Final = 221_845_392_000_000_000
"""The year 9000: later moments are nonsense, and could not be counted on from."""

WHOLE_MAX: Final = 2**52
"""Redis' scripts count in doubles; from here there is room to count on."""

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{0,64}\Z")]
Whole = Annotated[int, Meta(ge=0, le=WHOLE_MAX)]
Moment = Annotated[int, Meta(ge=0, le=MOMENT_US_MAX)]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored with the bytes of one version.

    Whoever can write to the storage can write it: what is read is checked against these types, and
    `genro_wopi.domain.record_owner` says whose counts. Fields that this version does not know are
    passed over, since a newer one may have written it.
    """

    save_id: Name
    session: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,64}\Z")]
    """The session that wrote it, the same over renewals; empty for the management API."""
    epoch: Whole
    """Of the lease under which it was written; 0 for none."""
    attempt: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    """The client's X-WOPI-TimeStamp in ticks; 0 where it sent none."""
    base: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,100}\Z")]
    """The version that it was made from; empty for a new file."""
    sequence: Whole
    version: Annotated[Version, Meta(pattern=r"^[0-9]{1,16}\.[A-Za-z0-9_-]{1,64}\Z")]
    """It becomes part of names in the storage."""
    last_modified_us: Moment
    sha256: Digest
    """Hexadecimal."""
    lock: Digest = ""
    """Digest of the lock that was shown; empty for none. See `lock_digest`."""
    file_id: Annotated[str, Meta(pattern=r"^([0-9a-f]{2}[A-Za-z0-9_-]{22})?\Z")] = ""
    """So that the registry can be made again from the storage."""
    is_autosave: bool = False
    """The editor saved by itself; such versions may be thinned out."""
    is_forced: bool = False
    """It was written over a change that the editor had not seen, by the person's choice."""
    received_us: Moment = 0
    """When the bytes came, where they waited for the end of an outage; else 0."""
    tenant: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,200}\Z")] = ""
    """Whose storage it was; back ends write it."""


def lock_digest(lock_id: str | None) -> str:
    """Name a lock in evidence without telling it."""
    return hashlib.sha256(lock_id.encode()).hexdigest()[:16] if lock_id else ""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The newest bytes, as the storage shows them now."""

    fingerprint: str
    """What a conditional write compares: S3's ETag; a folder's inode, size and mtime."""
    size_bytes: int
    modified_us: int
    """When the storage says that it was written; only a hint."""
    evidence: Evidence | None
    """None where another program wrote the bytes."""
    has_bad_record: bool = False
    """There is a record of these bytes, and it does not count: it cannot be read, or another's."""


class KeptVersion(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that were replaced and kept."""

    key: str
    """How the back end finds them again."""
    size_bytes: int
    modified_us: int
    """When the storage says that they were written; only a hint."""
    evidence: Evidence | None
    """None where another program wrote them."""

    @property
    def version(self) -> str:
        """The version that editors and applications know them by."""
        return self.evidence.version if self.evidence else foreign_version(self.key)


def fingerprint_of(head: "Head | None") -> str:
    """Return the fingerprint of a head; empty where there is no file."""
    return head.fingerprint if head else ""


def foreign_version(key: str) -> str:
    """Name bytes that another program wrote, by how the back end finds them."""
    return key if key.startswith(FOREIGN_PREFIX) else f"{FOREIGN_PREFIX}{key}"


FOREIGN_PREFIX = "kept-"


class KnownHead(msgspec.Struct, frozen=True, kw_only=True):
    """The head as registered: the one source of Version and LastModifiedTime."""

    fingerprint: str
    version: Version
    last_modified_us: int
    size_bytes: int
    sequence: int
    sha256: str
    """Hexadecimal; empty where it is not known without reading."""
    session: str
    epoch: int
    attempt: int
    save_id: str
    lock: str = ""
    """Of the evidence; empty where only the registry was asked."""
    is_forced: bool = False
    """Of the evidence, too."""
    received_us: int = 0
    """Of the evidence, too."""


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One file in the registry."""

    file_id: FileId
    tenant_id: TenantId
    storage_name: str
    path: StoragePath
    head: KnownHead | None
    """None until the file was seen for the first time."""
    moving_to: StoragePath = StoragePath("")
    """Where it is being moved to; empty while it lies still."""
    moved_by: SessionId = SessionId("")
    """The session that asked for the move."""

    @property
    def is_folder(self) -> bool:
        """Whether this is a container; its path ends with a slash."""
        return self.path.endswith("/")

    @property
    def is_deleted(self) -> bool:
        """Whether the file was deleted; it lies among the deleted ones for a while."""
        return self.path.startswith(f"{RESERVED_SEGMENT}/")


class FileRegistry(Protocol):
    """Which file has which id, and what its head is."""

    async def register(
        self, tenant_id: TenantId, storage_name: str, path: StoragePath
    ) -> FileRecord:
        """Return the record of a file, drawing its id at the first call. MUST be atomic."""
        ...

    async def adopt(
        self,
        file_id: FileId,
        tenant_id: TenantId,
        storage_name: str,
        path: StoragePath,
        *,
        may_widen: bool,
    ) -> bool:
        """Register a file under an id that it had before.

        Args:
            file_id: the id.
            tenant_id: whose file it is.
            storage_name: where it lies.
            path: where it lies there.
            may_widen: whether the id may be of a partition that was never in use; every process
                reads that one from then on, for ever, so only the operator decides it.

        Returns:
            False where the path has another id, the id another place, or its partition is not in
            use; nothing was changed.
        """
        ...

    async def page(
        self, tenant_id: TenantId, *, cursor: str, limit: int
    ) -> tuple[list[FileRecord], str]:
        """Return some of a tenant's files in no order, and where to go on; empty at the end.

        There may be few files in a page, or none, before the end.
        """
        ...

    async def forget(self, record: FileRecord) -> None:
        """Remove the record of a file that is gone for good, and its place. Safe to repeat."""
        ...

    async def find(
        self, tenant_id: TenantId, storage_name: str, path: StoragePath
    ) -> FileId | None:
        """Return the id of a file that was registered; None where it never was."""
        ...

    async def record(self, file_id: FileId) -> FileRecord | None:
        """Return the record of a registered file."""
        ...

    async def observe(
        self,
        file_id: FileId,
        head: Head,
        *,
        reader: str = "",
        editor: str = "",
        loads: bool = True,
        deadline_s: float = 0.0,
    ) -> KnownHead:
        """Register the head that the storage shows and return its version.

        MUST be atomic and MUST give the same version for the same fingerprint. A head that no
        evidence explains gets a new version and a LastModifiedTime above every earlier one.

        Args:
            file_id: the file.
            head: as the storage shows it now.
            reader: the session that is reading these bytes; it and its lease remember the version.
            editor: which editor reads; empty where it is not known.
            loads: whether that editor may save what it reads.
            deadline_s: monotonic time until which an outage is waited for.
        """
        ...


def known_from_evidence(head: Head) -> KnownHead | None:
    """Read a head's version from the evidence beside its bytes; None where there is none."""
    evidence = head.evidence
    if evidence is None:
        return None
    return KnownHead(
        fingerprint=head.fingerprint,
        version=evidence.version,
        last_modified_us=evidence.last_modified_us,
        size_bytes=head.size_bytes,
        sequence=evidence.sequence,
        sha256=evidence.sha256,
        session=evidence.session,
        epoch=evidence.epoch,
        attempt=evidence.attempt,
        save_id=evidence.save_id,
        lock=evidence.lock,
        is_forced=evidence.is_forced,
        received_us=evidence.received_us,
    )


def new_version(sequence: int, save_id: str) -> Version:
    """Name a version; it never repeats, since the save's id is random."""
    return Version(f"{sequence}.{save_id[:12]}")
