"""Locks and leases: who may write a file.

A lock is the string that an editor chose. The *lease* around it is ours: an epoch that only rises,
the session that took it, and the version whose bytes last crossed the wire for it. Locks prevent
conflicts; the conditional write prevents loss.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/lock
"""

from typing import Protocol

import msgspec

from genro_wopi.domain.errors import LockMismatchError
from genro_wopi.domain.identifiers import FileId, SessionId, TenantId
from genro_wopi.protocol.lock_id import LockId
from genro_wopi.protocol.times import format_us


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A lock that holds a file."""

    lock_id: LockId
    epoch: int
    session: str
    base: str
    """Version whose bytes last crossed the wire for this lock; empty when it is not known."""
    first_attempt: int
    """Ticks of the LOCK that took it; 0 where the client sends none."""
    since_us: int
    expires_us: int
    holder: str
    """The name of the person whose session took it."""
    editor: str = ""
    """Whose string it is; empty where that is not known."""


class LockRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One lock operation of one session."""

    file_id: FileId
    session_id: SessionId
    lock_id: LockId
    request_id: str
    """The same when a request is sent again after a lost answer."""
    attempt: int
    """X-WOPI-TimeStamp in ticks; 0 where there is none."""
    can_edit: bool
    holder: str
    editor: str = ""
    """Which editor asks: another one's equal string is another lock. Empty where not known."""
    tenant_id: TenantId = TenantId("")


class LockStore(Protocol):
    """Where the lock of each file is kept.

    Every method MUST compare and change in one step, set the expiry, raise the epoch at each
    acquisition and append the event of a transition; it MUST be safe to run twice with one
    `request_id`. Each returns the version of the file (empty when it was never seen).

    All raise `LockMismatchError` and `UnavailableError`; all but `unlock` and `leave` raise
    `SessionEndedError`.
    """

    async def lock(self, request: LockRequest, *, deadline_s: float) -> str:
        """Lock the file, or refresh the lock when the same string holds it."""
        ...

    async def relock(self, request: LockRequest, old_lock_id: LockId, *, deadline_s: float) -> str:
        """Replace `old_lock_id` by the request's, never leaving the file unlocked."""
        ...

    async def refresh(self, request: LockRequest, *, deadline_s: float) -> str:
        """Give the lock its full life again."""
        ...

    async def state(self, file_id: FileId) -> Lease | None:
        """Return what holds a file now; None where nothing does."""
        ...

    async def force_unlock(self, file_id: FileId, lease: Lease, reason: str) -> bool:
        """End a lock by order of an operator; False where it is not the one meant any more."""
        ...

    async def unlock(self, request: LockRequest, *, deadline_s: float) -> str:
        """Release the lock, whatever became of the session; a save may still come for a minute."""
        ...

    async def leave(self, request: LockRequest, *, deadline_s: float) -> bool:
        """Release the lock unless others have the document open; False where it stays."""
        ...


def mismatch(lease: Lease | None) -> LockMismatchError:
    """Say in words which lock is in the way, for X-WOPI-LockFailureReason."""
    if lease is None:
        return LockMismatchError(None, "The file is not locked.")
    who = lease.holder or "Somebody else"
    since, until = format_us(lease.since_us)[:16], format_us(lease.expires_us)[:16]
    reason = f"{who} is editing this file since {since}Z; the lock ends at {until}Z unless renewed."
    return LockMismatchError(lease.lock_id, _header_safe(reason))


def _header_safe(text: str) -> str:
    """Header values are latin-1 at most; names may be anything."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
