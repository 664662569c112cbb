"""Saves that began and were not published: what their wopi-service could not say any more.

A process may die, or Redis be away, between the commit of a save and its publication. The bytes
are safe; the intent that `begin` noted tells others to look whether they are there, and to announce
them.
"""

from typing import Final, Protocol

import msgspec

from genro_wopi.domain.identifiers import FileId

SETTLED_AGE_S: Final = 30
"""A save that began longer ago than this is over, or its process is dead."""

FORGOTTEN_AGE_S: Final = 600
"""A write that was on its way this long will not arrive any more."""

SWEEP_S: Final = 5.0


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A save that began and was not published."""

    save_id: str
    file_id: FileId
    age_s: float


class IntentStore(Protocol):
    """The notes of saves that began."""

    async def claim_sweep(self) -> bool:
        """Become the one process that looks for the next seconds; False where another is."""
        ...

    async def overdue(self, *, limit: int) -> list[Intent]:
        """Return intents that nobody publishes any more, at most `limit` of each partition."""
        ...

    async def forget(self, intent: Intent) -> None:
        """Remove the note of a save that was never stored."""
        ...
