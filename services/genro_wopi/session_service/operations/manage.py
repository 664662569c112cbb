"""Listing, renewing and ending sessions."""

from typing import Final

import msgspec

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import ConflictError
from genro_wopi.domain.identifiers import SessionId
from genro_wopi.domain.sessions import SessionState, SessionStatus
from genro_wopi.domain.tenants import tenant_id_of
from genro_wopi.domain.timeline import Circumstances, verdict
from genro_wopi.management.sessions import (
    SessionCleaned,
    SessionCleanup,
    SessionList,
    SessionListRequest,
    SessionRef,
    SessionRenew,
    SessionRenewed,
    SessionTimeline,
    SessionView,
    TimelineItem,
)
from genro_wopi.protocol.times import format_us
from genro_wopi.session_service.operations.desk import Desk, renewed_view, session_of, view

_OVER: Final = frozenset({SessionState.CLOSED, SessionState.REVOKED})
"""Expired ones still may save for a grace, and are announced by those who look for them."""

SCANNED_MAX: Final = 2000
"""Sessions looked at for one page of a filtered list."""


async def list_sessions(desk: Desk, caller: Caller, request: SessionListRequest) -> SessionList:
    """List a tenant's sessions, oldest first."""
    tenant_id = await tenant_id_of(desk.tenants, caller, request.tenant_id)
    found: list[SessionView] = []
    cursor, scanned = request.cursor, 0
    while len(found) < request.limit and scanned < SCANNED_MAX:
        ids = await desk.sessions.list_ids(tenant_id, after=cursor, limit=request.limit)
        if not ids:
            return SessionList(items=found, next_cursor=None)
        for session_id, position in ids:
            cursor, scanned = position, scanned + 1
            status = await desk.sessions.get(session_id)
            if status is not None and _matches(status, request):
                found.append(view(status))
            if len(found) == request.limit:
                break
    return SessionList(items=found, next_cursor=cursor)


def _matches(status: SessionStatus, request: SessionListRequest) -> bool:
    wanted = (
        (request.file_path, status.session.file_path),
        (request.storage_name, status.session.storage_name),
        (request.state, status.state),
    )
    return all(asked is None or asked == found for asked, found in wanted)


async def get_session(desk: Desk, caller: Caller, request: SessionRef) -> SessionView:
    """Show one session."""
    return view(await session_of(desk, caller, request.session_id, request.tenant_id))


async def session_timeline(desk: Desk, caller: Caller, request: SessionRef) -> SessionTimeline:
    """Tell what happened in a session, and what that means."""
    status = await session_of(desk, caller, request.session_id, request.tenant_id)
    session = status.session
    entries = await desk.timeline.read(session.session_id)
    around = Circumstances(
        has_editor=session.editor is not None,
        notes=session.editor_notes,
        src_url=desk.src_url,
        can_edit=session.can_edit,
        is_over=status.state is not SessionState.ACTIVE,
        opened=status.opened,
    )
    return SessionTimeline(
        session_id=session.session_id,
        state=status.state,
        verdict=verdict(entries, around),
        notes=list(session.editor_notes),
        items=[
            TimelineItem(
                timestamp=format_us(e.at_us),
                what=e.what,
                status=e.status,
                duration_ms=e.duration_ms,
                reason=e.reason,
                recovery_id=e.recovery_id or None,
            )
            for e in entries
        ],
    )


async def renew_session(desk: Desk, caller: Caller, request: SessionRenew) -> SessionRenewed:
    """Give a session a new life and a new token.

    Raises:
        ConflictError: it has ended.
    """
    status = await session_of(desk, caller, request.session_id, request.tenant_id)
    session = status.session
    ttl_ms = request.ttl_seconds * 1000 if request.ttl_seconds else session.ttl_ms
    lifetime_ms = msgspec.structs.replace(session, ttl_ms=ttl_ms).lifetime_ms
    ends_us = desk.clock.now_us() + lifetime_ms * 1000
    renewed = await desk.sessions.renew(session.session_id, ttl_ms=ttl_ms, ends_us=ends_us)
    if renewed is None:
        raise ConflictError("The session has ended; create a new one.")
    return renewed_view(desk, renewed)


async def close_session(desk: Desk, caller: Caller, request: SessionRef) -> SessionView:
    """Close a session; what was typed may still be saved for a grace."""
    return await _end(desk, caller, request, SessionState.DRAINING)


async def revoke_session(desk: Desk, caller: Caller, request: SessionRef) -> SessionView:
    """Revoke a session at once."""
    return await _end(desk, caller, request, SessionState.REVOKED)


async def _end(desk: Desk, caller: Caller, request: SessionRef, state: SessionState) -> SessionView:
    status = await session_of(desk, caller, request.session_id, request.tenant_id)
    ended = await desk.sessions.end(status.session.session_id, state)
    return view(ended or status)


async def cleanup_sessions(desk: Desk, caller: Caller, request: SessionCleanup) -> SessionCleaned:
    """Forget a tenant's sessions that have ended, and index entries that nothing stands behind."""
    tenant_id = await tenant_id_of(desk.tenants, caller, request.tenant_id)
    removed = kept = 0
    cursor = ""
    while ids := await desk.sessions.list_ids(tenant_id, after=cursor, limit=SCANNED_MAX):
        ended: list[SessionId] = []
        for session_id, position in ids:
            cursor = position
            status = await desk.sessions.get(session_id)
            if status is None or status.state in _OVER:
                ended.append(session_id)
        removed, kept = removed + len(ended), kept + len(ids) - len(ended)
        if not request.dry_run:
            await desk.sessions.forget(tenant_id, ended)
            cursor = str(kept)
    return SessionCleaned(removed=removed, kept=kept, dry_run=request.dry_run)
