"""The lock string that a WOPI client chooses and shows in X-WOPI-Lock.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/concepts#lock
"""

from typing import Final, NewType

LOCK_ID_LENGTH_MAX: Final = 1024
"""Characters; the limit that SupportsExtendedLockLength announces."""

LOCK_TTL_MS: Final = 30 * 60 * 1000
"""A lock ends 30 minutes after its last LOCK or REFRESH_LOCK; the reference fixes it."""

LockId = NewType("LockId", str)


def parse_lock_id(value: str | None) -> LockId | None:
    """Return the lock string, or None when it is absent, empty, too long or not printable ASCII."""
    if not value or len(value) > LOCK_ID_LENGTH_MAX:
        return None
    if not value.isascii() or not value.isprintable():
        return None
    return LockId(value)
