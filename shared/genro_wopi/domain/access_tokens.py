"""What an access token says; how it is written is `genro_wopi.adapters.tokens`' matter."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from genro_wopi.domain.identifiers import FileId, SessionId, TenantId
from genro_wopi.domain.secrets import Secret


class Grant(StrEnum):
    """Why a token was traded for another one."""

    MADE = "made"
    """For a file that the session made (PutRelativeFile); it needs no containers."""
    LISTED = "listed"
    """For a file of one of the session's containers."""
    CONTAINER = "container"
    """For one of the session's containers; it opens no file."""


class AccessClaims(msgspec.Struct, frozen=True, kw_only=True):
    """One session on one file, until a moment."""

    session_id: SessionId
    file_id: FileId
    tenant_id: TenantId
    editor: str
    """``scope/name`` of the editor that the session was given; empty for none. The token names it
    so that a request's proof is checked before the request touches anything."""
    can_edit: bool
    user: str
    """Name of the person, shown to others while this session holds the lock."""
    expires_us: int
    is_unsigned: bool = False
    """The editor's proofs were off; counts only where it is not configured any more."""
    editor_kind: str = ""
    """Only for what is counted and logged; empty for none."""
    address: str = ""
    """The editor's server that the token was handed to, as a digest; empty where not known."""
    parent: SessionId = SessionId("")
    """The session that this token was traded from; empty for one that the API created."""
    grant: Grant | None = None
    """Why it was traded; None for one of the API's, or of a version that had no grants."""


class TradedTokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens for other files of one session's folder, in the order that was asked for."""

    tokens: list[str]
    expires_us: int


class TokenTrader(Protocol):
    """Trades a session's token for tokens of other files: none outlives or outranks it."""

    async def trade(
        self, session_id: SessionId, file_ids: Sequence[FileId], grant: Grant, *, address: str
    ) -> TradedTokens:
        """Return a token for each file or container, for the editor's server that asks.

        Raises:
            UnauthenticatedError: the session has ended, or may have no such tokens.
            UnavailableError: the session-service does not answer.
        """
        ...


class TokenSigner(Protocol):
    """Makes access tokens; only the session-service has one."""

    def sign(self, claims: AccessClaims) -> Secret:
        """Return a token of characters that every client carries unchanged."""
        ...


class TokenVerifier(Protocol):
    """Reads access tokens."""

    def verify(self, token: str) -> AccessClaims:
        """Return what a token says.

        Raises:
            UnauthenticatedError: it is missing, malformed, expired, or not signed by us.
        """
        ...
