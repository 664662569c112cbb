"""What a save says of itself, what the ledger of saves remembers, and what became of it."""

from enum import Enum, auto
from typing import Protocol

import msgspec

from genro_wopi.domain.errors import HostError
from genro_wopi.domain.files import Head, KnownHead
from genro_wopi.domain.identifiers import FileId, SessionId
from genro_wopi.domain.locks import Lease
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.rescues import Rescue
from genro_wopi.protocol.lock_id import LockId


class Receipt(msgspec.Struct, frozen=True):
    """When a save came that is submitted later than that."""

    received_us: int
    version: str
    """Of the head at that time; empty where it could not be asked."""


class Save(msgspec.Struct, frozen=True, kw_only=True):
    """One PutFile, or one upload by the management API."""

    save_id: str
    file_id: FileId
    session_id: SessionId = SessionId("")
    """Empty for what the host or the management API stores: nobody's lock is asked."""
    session_created_us: int = 0
    holder: str = ""
    """Name of the person, for others who want to lock."""
    lock_id: LockId | None = None
    timestamp: str | None = None
    """LastModifiedTime on which the bytes are based, as the client sent it."""
    attempt: int = 0
    """X-WOPI-TimeStamp in ticks; 0 where there is none."""
    one_process_per_document: bool = False
    """Collabora: whoever holds the lock's epoch is the same editor, whatever token it uses."""
    is_autosave: bool = False
    is_exit_save: bool = False
    is_modified_by_user: bool | None = None
    editors: tuple[str, ...] = ()
    editor: str = ""
    """Which editor saves, and which server of a pool; empty where that is not known."""
    shows_part_of_lock: bool = False
    """Microsoft 365: a lock that is JSON may be shown in part."""
    receipt: Receipt | None = None
    """Of a save that waited for the end of an outage; None for one that just came."""


class Standing(Enum):
    """What `begin` found about the lock that a save shows."""

    HELD = auto()
    """It holds the file; the lease is extended and the intent noted."""
    RELEASED = auto()
    """It was released less than a minute ago and nobody locked since."""
    UNLOCKED = auto()
    """Nothing holds the file."""
    OTHER = auto()
    """Another lock holds the file."""
    SUPERSEDED = auto()
    """The request was sent before the lease was taken, or before a stored save of its session."""
    MOVING = auto()
    """The file is being moved; nothing may be written until it lies still."""


class FileMovedError(HostError):
    """The file lies elsewhere than the commit was told, or is on its way; ask where and repeat."""


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What `begin` answers."""

    standing: Standing
    lease: Lease | None
    released_version: str
    """The head when the lock was released; only for RELEASED."""
    known: KnownHead | None
    """The head as registered."""
    path: StoragePath
    """Where the file lies, as registered."""
    seen_version: str = ""
    """The version whose bytes crossed last between the host and the editor that saves."""
    filled_sha256: str = ""
    """Digest of what first filled a file of 0 bytes: a template, as long as nobody typed."""
    loaded_us: int = 0
    """When this editor loaded the document last, for whomever; 0 for never."""


class SaveLedger(Protocol):
    """What Redis remembers of saves."""

    async def begin(self, save: Save, *, deadline_s: float) -> Begun:
        """Check the lock, extend its life to cover the write, note the intent. MUST be atomic.

        Raises:
            UnauthenticatedError: the session was revoked meanwhile.
        """
        ...

    async def adopt(self, save: Save, base: str, *, deadline_s: float) -> Lease | None:
        """Take a lost lease again; None where somebody else was quicker."""
        ...

    async def observe(self, file_id: FileId, head: Head, *, deadline_s: float) -> KnownHead:
        """Give a foreign head its version; see `FileRegistry.observe`."""
        ...

    async def publish(self, save: Save, saved: "Saved") -> None:
        """Register the head, move the lease's base, announce. Safe to repeat."""
        ...

    async def forget(self, save: Save) -> None:
        """Forget the intent of a save that writes nothing."""
        ...

    async def announce_rescue(self, rescue: Rescue) -> None:
        """Emit ``save_rescued``, and forget the intent of that save. Safe to repeat."""
        ...


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """A committed save."""

    head: KnownHead
    epoch: int
    forced: bool
    """The user chose to overwrite a change that the editor had not seen."""
    fills: bool = False
    """The file had no bytes before."""
    is_twin: bool = False
    """The bytes are those of the head before."""
    is_news: bool
    """False for identical bytes that the user had not modified: nothing is announced."""
