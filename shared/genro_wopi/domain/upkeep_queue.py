"""Which files' kept bytes are to be looked at, and when.

A save and a deletion enter their file; the callback-worker takes files that are due, one worker at
a time, and says when each is to be looked at again.
"""

from typing import Protocol

import msgspec

from genro_wopi.domain.identifiers import FileId


class DueFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is due; whoever took it holds it for a minute."""

    file_id: FileId
    has_twin: bool
    """A save brought the same bytes again: two versions hold them."""
    member: str
    """How the queue knows it."""


class UpkeepQueue(Protocol):
    """Files that are due."""

    async def take(self, *, limit: int) -> list[DueFile]:
        """Claim due files; a claim lapses by itself when its worker dies."""
        ...

    async def settle(self, due: DueFile, *, seen_version: str, again_ms: int) -> None:
        """Look at it again after some time (0: when it changes), or soon if it changed since."""
        ...

    async def claim_sweep(self, *, interval_ms: int) -> bool:
        """Tell whether this worker may sweep now; true once per interval over all workers."""
        ...
