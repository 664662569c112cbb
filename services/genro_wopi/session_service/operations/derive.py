"""Tokens for other files of a session's folder, for the wopi-service."""

import msgspec

from genro_wopi.domain.access_tokens import AccessClaims, Grant, TradedTokens
from genro_wopi.domain.errors import UnauthenticatedError
from genro_wopi.domain.identifiers import FileId, SessionId, derived_session_id
from genro_wopi.domain.reach import Right, may
from genro_wopi.domain.sessions import TOKEN_AFTER_MS, SessionState
from genro_wopi.session_service.operations.desk import Desk


class TradeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Whose token is traded, and for which files."""

    session_id: SessionId
    file_ids: list[FileId]
    grant: Grant | None = None
    """None: a wopi-service of a version before there were grants asks."""
    address: str = ""
    """The editor's server that asks: its tokens are for the same one. Empty where not known."""


async def trade_tokens(desk: Desk, request: TradeRequest) -> TradedTokens:
    """Sign one token for each file; the sessions themselves begin when they are first used.

    Raises:
        UnauthenticatedError: the session has ended, or may have no such tokens.
    """
    status = await desk.sessions.get(request.session_id)
    if status is None or status.state is not SessionState.ACTIVE:
        raise UnauthenticatedError("The session has ended.")
    session = status.session
    if not may(session, Right.COPY if request.grant is Grant.MADE else Right.LIST):
        raise UnauthenticatedError("The session may not have tokens of other files.")
    parent = session.parent or session.session_id
    editor = session.editor
    tokens = [
        desk.signer.sign(
            AccessClaims(
                session_id=derived_session_id(parent, file_id),
                file_id=file_id,
                tenant_id=session.tenant_id,
                editor=f"{editor.scope}/{editor.name}" if editor else "",
                editor_kind=editor.kind if editor else "",
                is_unsigned=editor.is_unsigned if editor else False,
                can_edit=session.can_save,
                user=session.user or session.account,
                expires_us=status.ends_us + TOKEN_AFTER_MS * 1000,
                address=request.address,
                parent=parent,
                grant=request.grant,
            )
        ).reveal()
        for file_id in request.file_ids
    ]
    return TradedTokens(tokens=tokens, expires_us=status.ends_us)
