"""Saves that were received whole and neither stored nor refused, since Redis or a storage was away.

The editor was answered 503; some ask no second time. The bytes stay, with what their request said,
until things are back; then they are submitted once, as that session's save, under the id that the
save had from its beginning: what was stored meanwhile is known by it. A later save of the same
editor, which holds the same text and more, makes them void. What was stored meanwhile and may lack
the text is never replaced by it.
"""

from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.files import Evidence, lock_digest
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.storages import Body
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.protocol.put_file import PutFileHeaders

PAUSES_S: Final = (1.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Between two attempts to submit one save; the last one repeats."""


class Outcome(StrEnum):
    """What became of an unsettled save."""

    STORED = "stored"
    """It is the head, or was."""
    RESCUED = "rescued"
    """The rules did not let it in: a recovery copy was kept and announced."""
    VOID = "void"
    """The editor saved again meanwhile; nothing of it is missing."""
    NO_ROOM = "no_room"
    """It could not even be kept."""
    EXPIRED = "expired"
    """It could not be submitted for so long that it was given up."""


class UnsettledSave(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the request of one save said."""

    save_id: str
    claims: AccessClaims
    """Of its token, which was authentic; the token itself is not kept."""
    lock: str | None
    """X-WOPI-Lock as it was sent."""
    epoch: int = 0
    """Of the lease that it showed; 0 where Redis was away before that could be asked."""
    headers: PutFileHeaders
    received_us: int
    version: str = ""
    """Of the head when it came; empty where that could not be asked."""
    size_bytes: int
    sha256: str
    reason: str
    """Why it could not be settled, in words."""
    is_proven: bool = True
    """Whether the request's proof was checked; one that was not becomes a recovery copy."""
    storage_name: str = ""
    """Where the file lay; empty where that was not known."""
    file_path: StoragePath = StoragePath("")
    in_storage: bool = False
    """The bytes lie among the recovery copies of the storage, and not here."""

    def replaces(self, other: "UnsettledSave") -> bool:
        """Tell whether this one holds all that an earlier one held.

        Where the same lock is shown for ever the document may have been loaded anew in between.
        """
        is_same_load = self.is_lock_drawn and other.is_lock_drawn
        return self.follows(other) and (is_same_load or self.sha256 == other.sha256)

    def follows(self, other: "UnsettledSave") -> bool:
        """Tell whether this one came later from the same editor, as far as can be told."""
        mine, its = self.claims, other.claims
        if mine.file_id != its.file_id or self.received_us < other.received_us:
            return False
        same_lock = self.lock == other.lock
        if self.is_one_process and other.is_one_process:
            return same_lock
        return same_lock and mine.session_id == its.session_id and self.epoch == other.epoch

    def is_void_after(self, stored: Evidence, loaded_us: int) -> bool:
        """Tell whether a save that is stored holds these bytes, or was made from them.

        One process of Collabora holds a random lock for everybody in a document: whatever it saves
        later has this text in it. Others show the same lock for ever; there the session must be the
        same, the lease too where it is known, and the document not loaded anew since.

        Args:
            stored: what is known of the other save.
            loaded_us: when its editor loaded the document last, for whomever; 0 for never.
        """
        if stored.save_id == self.save_id:
            return True
        if stored.lock != lock_digest(self.lock) or not self.lock:
            return False
        if self.headers.attempt and stored.attempt:
            is_later = stored.attempt >= self.headers.attempt
        else:
            is_later = (stored.received_us or stored.last_modified_us) > self.received_us
        if self.is_one_process:
            return is_later
        same_lease = self.epoch in {0, stored.epoch}
        is_same = stored.session == self.claims.session_id and same_lease
        return is_later and is_same and loaded_us < self.received_us

    @property
    def is_lock_drawn(self) -> bool:
        """Whether the editor draws its lock anew whenever it loads the document."""
        return self.claims.editor_kind in {EditorKind.COLLABORA, EditorKind.M365}

    @property
    def is_one_process(self) -> bool:
        """Whether the lock names a process that holds everybody's text."""
        return self.claims.editor_kind == EditorKind.COLLABORA and bool(self.lock)


class UnsettledReport(Protocol):
    """Where a process says how many saves wait in it, for the doctor."""

    async def tell(self, count: int) -> None:
        """Say it, where it is news."""
        ...


class UnsettledSaves(Protocol):
    """Where they are kept: on a disk that outlives the process."""

    async def keep(self, save: UnsettledSave, body: Body) -> None:
        """Keep a save; it is on the disk when this returns.

        Raises:
            StorageFullError: there is no room, or too much of this tenant's is kept already.
        """
        ...

    def keep_now(self, save: UnsettledSave, body: Body) -> None:
        """Keep a save without giving way to anything else: the process is ending.

        Raises:
            StorageFullError: as `keep`.
        """
        ...

    async def waiting(self) -> list[UnsettledSave]:
        """Return what this process has to submit, oldest first, what dead ones left included."""
        ...

    def open(self, save: UnsettledSave) -> AbstractAsyncContextManager[Body]:
        """Hold the bytes of a save that lie here."""
        ...

    async def moved(self, save: UnsettledSave) -> None:
        """Note that the bytes lie in the storage, and give back their room."""
        ...

    async def settle(self, save: UnsettledSave, outcome: Outcome) -> None:
        """Forget a save. Safe to repeat."""
        ...
