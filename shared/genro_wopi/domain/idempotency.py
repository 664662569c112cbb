"""Requests that are sent twice are carried out once: the answer to the first is kept for a day.

See the draft "The Idempotency-Key HTTP Header Field" of the IETF.
"""

from typing import Final, Protocol

import msgspec

KEPT_MS: Final = 86_400_000
CLAIM_MS: Final = 60_000
"""A request that died is not answered for ever with "under way"."""

KEY_LENGTH_MAX: Final = 200


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered to the first request."""

    fingerprint: str
    """Of the request; the same key with another request is refused."""
    status: int = 0
    """0 while the first is under way."""
    sealed_body: str = ""
    """Encrypted: it may show a token or a key."""


class IdempotencyStore(Protocol):
    """Answers by key."""

    async def begin(self, scope: str, key: str, fingerprint: str) -> KeptAnswer | None:
        """Claim a key; return what is kept for it where it was claimed before."""
        ...

    async def keep(self, scope: str, key: str, answer: KeptAnswer) -> None:
        """Keep the answer for a day."""
        ...

    async def forget(self, scope: str, key: str) -> None:
        """Let the key be claimed again: nothing was done."""
        ...
