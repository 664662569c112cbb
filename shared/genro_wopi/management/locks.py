"""Locks: who edits what, and how an operator ends a lock that is stuck."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from genro_wopi.domain.callers import Scope
from genro_wopi.domain.field_types import ShortText
from genro_wopi.management.operation import Nothing, Operation, Page


class LockListRequest(Page, frozen=True, kw_only=True):
    """Whose locks."""

    tenant_id: ShortText | None = None


class LockView(msgspec.Struct, frozen=True, kw_only=True):
    """One locked file."""

    file_id: str
    storage_name: str
    file_path: str
    holder: str
    session_id: str
    since: str
    expires_at: str


class LockList(msgspec.Struct, frozen=True, kw_only=True):
    """Every file of a tenant that is locked now."""

    items: list[LockView]
    next_cursor: str | None = None


class ForceUnlock(msgspec.Struct, frozen=True, kw_only=True):
    """Which lock is to end, and why."""

    file_id: ShortText
    reason: Annotated[str, Meta(max_length=500)] = ""
    tenant_id: ShortText | None = None


LOCKS_LIST: Final = Operation(
    name="locks.list",
    method="GET",
    path="/api/locks",
    summary="List files that are locked: by whom, since when, until when.",
    request=LockListRequest,
    response=LockList,
    scope=Scope.SESSIONS,
)
LOCKS_FORCE_UNLOCK: Final = Operation(
    name="locks.force-unlock",
    method="POST",
    path="/api/locks/{file_id}/force-unlock",
    summary="End a lock; what its editor saves afterwards is kept as a recovery copy.",
    request=ForceUnlock,
    response=Nothing,
    scope=Scope.SESSIONS,
    status=204,
    warning="What its editor saves afterwards is kept as a recovery copy only.",
)
