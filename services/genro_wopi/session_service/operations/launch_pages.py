"""What the page that shows an editor needs: its address, a token, and later a new token."""

from typing import Final

import msgspec

from genro_wopi.domain.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from genro_wopi.domain.paths import base_name, parse_path
from genro_wopi.domain.sessions import (
    LIFETIME_S_DEFAULT,
    Session,
    SessionState,
    SessionStatus,
)
from genro_wopi.domain.storages import StorageFaultError
from genro_wopi.domain.timeline import LAUNCH, TimelineEntry
from genro_wopi.management.launches import Launch, LaunchRequest, TokenRenewal
from genro_wopi.management.sessions import SessionRenewed
from genro_wopi.session_service.operations.choose_editor import editor_start
from genro_wopi.session_service.operations.desk import Desk, renewed_view

_OPENABLE: Final = frozenset({SessionState.ACTIVE, SessionState.EXPIRED})
"""An expired session that may live again does so by its page."""


def _expired() -> NotFoundError:
    return NotFoundError("This link has expired. Go back and open the document again.")


async def open_launch(desk: Desk, request: LaunchRequest) -> Launch:
    """Return what the launch page needs, with a fresh token.

    Raises:
        NotFoundError: the code is wrong or was not opened in time, or the session has ended.
        ForbiddenError: another browser opened the page.
    """
    opened = await desk.sessions.launch(request.code, shown=request.shown, given=request.given)
    status = await desk.sessions.get(opened.session_id) if opened else None
    if opened is None or status is None or status.state not in _OPENABLE:
        raise _expired()
    if opened.is_other:
        raise ForbiddenError(
            "This page was opened before: only the browser that did may load it again, and it must"
            " keep cookies. Go back and open the document again."
        )
    if status.state is SessionState.EXPIRED:
        status = await _renewed(desk, status)
    if status is None or status.state is not SessionState.ACTIVE:
        raise _expired()
    session = status.session
    tenant = await desk.directory.tenant(session.tenant_id)
    start = await editor_start(desk, session, is_empty=await _is_empty(desk, session))
    url = start.url
    if start.server != status.server:
        await desk.sessions.place(session.session_id, start.server)
        status = msgspec.structs.replace(status, server=start.server)
    entry = TimelineEntry(
        at_us=desk.clock.now_us(),
        what=LAUNCH,
        reason="" if url else "the editor does not answer, or does not open this type of file.",
    )
    desk.timeline.note(session.session_id, entry)
    return Launch(
        file_name=base_name(session.file_path),
        access_token=desk.token(status).reveal(),
        access_token_ttl=status.ends_us // 1000,
        idle_ms=session.ttl_ms,
        editor_url=url,
        editor_name=session.editor.name if session.editor else None,
        kind=session.kind,
        ui_defaults=session.options.ui_defaults,
        theme=session.options.theme,
        frame_ancestors=list(tenant.frame_ancestors),
        can_edit=session.can_edit,
    )


async def _is_empty(desk: Desk, session: Session) -> bool:
    """Tell whether the file still has 0 bytes, to be filled by the editor.

    A storage that does not answer counts as no: filling a file that is not empty would replace it.
    """
    storage = await desk.directory.storage(session.tenant_id, session.storage_name)
    try:
        node = (await desk.storages.open(storage)).node(parse_path(session.file_path))
        head = await node.stat()
    except StorageFaultError:
        return False
    return head is not None and head.size_bytes == 0


async def _renewed(desk: Desk, status: SessionStatus) -> SessionStatus | None:
    """Give a session a new life, but none beyond what its application set; None if it has ended."""
    session, ends_us = status.session, status.ends_us
    if session.options.max_lifetime_seconds is None:
        ends_us = max(ends_us, desk.clock.now_us() + LIFETIME_S_DEFAULT * 1_000_000)
    return await desk.sessions.renew(session.session_id, ttl_ms=session.ttl_ms, ends_us=ends_us)


async def renew_token(desk: Desk, request: TokenRenewal) -> SessionRenewed:
    """Give an active session a new life, for a page that shows the session's token.

    A session whose application set ``max_lifetime_seconds`` gets none beyond that.

    Raises:
        UnauthenticatedError: the token is wrong, or its session has ended.
    """
    claims = desk.verifier.verify(request.access_token)
    status = await desk.sessions.get(claims.session_id)
    if status is None or claims.parent:
        raise UnauthenticatedError("The session has ended.")
    renewed = await _renewed(desk, status)
    if renewed is None or renewed.state is not SessionState.ACTIVE:
        raise UnauthenticatedError("The session has ended.")
    return renewed_view(desk, msgspec.structs.replace(renewed, server=claims.address))
