"""Editing sessions. Access tokens are shown when they are made and never again."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from genro_wopi.domain.callers import Scope
from genro_wopi.domain.field_types import ITEMS_MAX, PathText, ShortText
from genro_wopi.domain.sessions import (
    TTL_S_MAX,
    TTL_S_MIN,
    Permission,
    SessionOptions,
    SessionState,
)
from genro_wopi.management.operation import Operation, Owner, Page

Person = Annotated[str, Meta(min_length=1, max_length=200)]
UserId = Annotated[str, Meta(min_length=1, max_length=128)]
Origin = Annotated[str, Meta(max_length=500)]
TtlSeconds = Annotated[int, Meta(ge=TTL_S_MIN, le=TTL_S_MAX)]
Language = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=100)]


class SessionCreate(msgspec.Struct, frozen=True, kw_only=True):
    """A session to create."""

    storage_name: ShortText
    file_path: PathText
    permissions: Annotated[list[Permission], Meta(min_length=1, max_length=ITEMS_MAX)]
    account: Person
    user: Person | None = None
    user_id: UserId | None = None
    origin_connection_id: Origin | None = None
    origin_page_id: Origin | None = None
    ttl_seconds: TtlSeconds | None = None
    editor: ShortText | None = None
    lang: Language | None = None
    options: SessionOptions | None = None
    tenant_id: ShortText | None = None


class SessionCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A new session with its access token."""

    session_id: str
    file_id: str
    wopi_src: str
    access_token: str
    access_token_ttl: int
    """When the token ends, in milliseconds since 1970."""
    editor_url: str | None
    """None while no editor opens this type of file, or it cannot be reached; see `notes`."""
    launch_url: str
    expires_at: str
    notes: list[str]
    """Why the editor was chosen, or why there is none."""


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A session, without its token."""

    session_id: str
    file_id: str
    tenant_id: str
    storage_name: str
    file_path: str
    permissions: list[Permission]
    account: str
    user: str | None
    user_id: str | None
    editor: str | None
    notes: list[str]
    """Why the editor was chosen, or why there is none."""
    state: SessionState
    opened: bool
    created_at: str
    expires_at: str
    ends_at: str


class SessionListRequest(Page, frozen=True, kw_only=True):
    """Which sessions."""

    file_path: PathText | None = None
    storage_name: ShortText | None = None
    state: SessionState | None = None
    tenant_id: ShortText | None = None


class SessionList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sessions."""

    items: list[SessionView]
    next_cursor: str | None


class SessionRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which session."""

    session_id: ShortText
    tenant_id: ShortText | None = None


class TimelineItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened."""

    timestamp: str
    what: str
    """``launch``, or the name of a WOPI operation."""
    status: int
    duration_ms: int
    reason: str
    recovery_id: str | None = None
    """Of a save that was refused: the recovery copy of its bytes, where one was kept."""


class SessionTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a session since it was made."""

    session_id: str
    state: SessionState
    verdict: str
    """In plain words: how it goes, and what to do where it does not."""
    notes: list[str]
    """Why the editor was chosen, or why there is none."""
    items: list[TimelineItem]
    """The oldest first, at most 200."""


class SessionRenew(msgspec.Struct, frozen=True, kw_only=True):
    """Which session gets a new life."""

    session_id: ShortText
    ttl_seconds: TtlSeconds | None = None
    tenant_id: ShortText | None = None


class SessionRenewed(msgspec.Struct, frozen=True, kw_only=True):
    """A new token for the same session."""

    session_id: str
    access_token: str
    access_token_ttl: int
    expires_at: str


class SessionCleanup(msgspec.Struct, frozen=True, kw_only=True):
    """Whose ended sessions are forgotten."""

    dry_run: bool = False
    tenant_id: ShortText | None = None


class SessionCleaned(msgspec.Struct, frozen=True, kw_only=True):
    """What was, or would be, forgotten."""

    removed: int
    kept: int
    dry_run: bool


SESSIONS_CREATE: Final = Operation(
    name="sessions.create",
    method="POST",
    path="/api/sessions/create",
    summary="Create an editing session on a file.",
    request=SessionCreate,
    response=SessionCreated,
    scope=Scope.SESSIONS,
    owner=Owner.SESSION_SERVICE,
    status=201,
    arguments=("storage_name", "file_path"),
)
SESSIONS_LIST: Final = Operation(
    name="sessions.list",
    method="GET",
    path="/api/sessions",
    summary="List sessions.",
    request=SessionListRequest,
    response=SessionList,
    scope=Scope.SESSIONS,
    owner=Owner.SESSION_SERVICE,
)
SESSIONS_GET: Final = Operation(
    name="sessions.get",
    method="GET",
    path="/api/sessions/{session_id}",
    summary="Show a session.",
    request=SessionRef,
    response=SessionView,
    scope=Scope.SESSIONS,
    owner=Owner.SESSION_SERVICE,
)
SESSIONS_TIMELINE: Final = Operation(
    name="sessions.timeline",
    method="GET",
    path="/api/sessions/{session_id}/timeline",
    summary="Tell what happened in a session, and why its document does not open.",
    request=SessionRef,
    response=SessionTimeline,
    scope=Scope.SESSIONS,
    owner=Owner.SESSION_SERVICE,
)
SESSIONS_RENEW: Final = Operation(
    name="sessions.renew",
    method="POST",
    path="/api/sessions/{session_id}/renew",
    summary="Give a session a new life and a new token.",
    request=SessionRenew,
    response=SessionRenewed,
    scope=Scope.SESSIONS,
    owner=Owner.SESSION_SERVICE,
)
SESSIONS_CLOSE: Final = Operation(
    name="sessions.close",
    method="POST",
    path="/api/sessions/{session_id}/close",
    summary="Close a session: nothing new opens, what was typed may still be saved.",
    request=SessionRef,
    response=SessionView,
    scope=Scope.SESSIONS,
    owner=Owner.SESSION_SERVICE,
)
SESSIONS_REVOKE: Final = Operation(
    name="sessions.revoke",
    method="POST",
    path="/api/sessions/{session_id}/revoke",
    summary="Revoke a session at once; what was not saved is lost.",
    request=SessionRef,
    response=SessionView,
    scope=Scope.SESSIONS,
    owner=Owner.SESSION_SERVICE,
    warning="What its user typed and did not save is lost.",
)
SESSIONS_CLEANUP: Final = Operation(
    name="sessions.cleanup",
    method="POST",
    path="/api/sessions/cleanup",
    summary="Forget sessions that have ended; with dry_run only count them.",
    request=SessionCleanup,
    response=SessionCleaned,
    scope=Scope.SESSIONS,
    owner=Owner.SESSION_SERVICE,
)
