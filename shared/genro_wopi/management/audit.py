"""The audit trail: who did what to which document."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from genro_wopi.domain.audit import Actor
from genro_wopi.domain.callers import Scope
from genro_wopi.domain.field_types import PathText, ShortText
from genro_wopi.management.files import FileContent
from genro_wopi.management.operation import Access, Content, Operation

AuditCursor = Annotated[str, Meta(pattern=r"^([0-9]{1,15}-[0-9]{1,15})?$", max_length=31)]


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which records; all where nothing is named."""

    action: ShortText | None = None
    """Name of an operation, as ``sessions.create``, or of an event, as ``document_saved``."""
    account: ShortText | None = None
    user: ShortText | None = None
    session_id: ShortText | None = None
    file_path: PathText | None = None
    since: ShortText | None = None
    """ISO 8601, included."""
    until: ShortText | None = None
    """ISO 8601, not included."""
    tenant_id: ShortText | None = None
    """Left out by the operator: what belongs to no tenant."""


class AuditListRequest(AuditQuery, frozen=True, kw_only=True):
    """Which records, and which part of them."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: AuditCursor = ""


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """One record."""

    audit_id: str
    timestamp: str
    tenant_id: str
    action: str
    actor: Actor
    status: int
    reason: str
    account: str
    user: str
    session_id: str
    storage_name: str
    file_path: str
    file_id: str
    details: dict[str, str]


class AuditList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records, the newest first."""

    items: list[AuditView]
    next_cursor: str | None


class AuditRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which record."""

    audit_id: ShortText
    tenant_id: ShortText | None = None


class AuditPurge(msgspec.Struct, frozen=True, kw_only=True):
    """Which records are removed for good."""

    before: ShortText
    """ISO 8601; older ones are removed."""
    tenant_id: ShortText | None = None


class AuditPurged(msgspec.Struct, frozen=True, kw_only=True):
    """How many records were removed."""

    removed: int


AUDIT_LIST: Final = Operation(
    name="audit.list",
    method="GET",
    path="/api/audit",
    summary="List who did what to which document.",
    request=AuditListRequest,
    response=AuditList,
    scope=Scope.AUDIT_READ,
)
AUDIT_EXPORT: Final = Operation(
    name="audit.export",
    method="GET",
    path="/api/audit/export",
    summary="Export audit records as JSON lines, streamed.",
    request=AuditQuery,
    response=FileContent,
    scope=Scope.AUDIT_READ,
    content=Content.DOWNLOAD,
)
AUDIT_GET: Final = Operation(
    name="audit.get",
    method="GET",
    path="/api/audit/{audit_id}",
    summary="Show one audit record.",
    request=AuditRef,
    response=AuditView,
    scope=Scope.AUDIT_READ,
)
AUDIT_PURGE: Final = Operation(
    name="audit.purge",
    method="POST",
    path="/api/audit/purge",
    summary="Remove audit records older than a moment.",
    request=AuditPurge,
    response=AuditPurged,
    access=Access.ADMIN,
    warning="The records are gone for good.",
)
