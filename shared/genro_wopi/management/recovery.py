"""Recovery copies: saves that were refused and kept."""

from enum import StrEnum
from typing import Final

import msgspec

from genro_wopi.domain.callers import Scope
from genro_wopi.domain.field_types import ShortText
from genro_wopi.management.files import FileContent, FileView
from genro_wopi.management.operation import Content, Operation, Page


class RecoveryListRequest(Page, frozen=True, kw_only=True):
    """Whose recovery copies."""

    tenant_id: ShortText | None = None


class RecoveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One refused save."""

    recovery_id: str
    storage_name: str
    file_id: str
    file_path: str
    session_id: str
    account: str
    user: str
    size: int
    sha256: str
    reason: str
    rescued_at: str


class RecoveryList(msgspec.Struct, frozen=True, kw_only=True):
    """Recovery copies, the newest first."""

    items: list[RecoveryView]
    next_cursor: str | None


class RecoveryRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which recovery copy."""

    recovery_id: ShortText
    tenant_id: ShortText | None = None


class RestoreTarget(StrEnum):
    """Where a recovery copy goes."""

    HEAD = "head"
    """It becomes the file's newest version; refused while somebody edits the file."""
    BESIDE = "beside"
    """It becomes a new file beside it."""


class RecoveryRestore(msgspec.Struct, frozen=True, kw_only=True):
    """Which recovery copy is taken back, and where."""

    recovery_id: ShortText
    target: RestoreTarget = RestoreTarget.HEAD
    tenant_id: ShortText | None = None


RECOVERY_LIST: Final = Operation(
    name="recovery.list",
    method="GET",
    path="/api/recovery",
    summary="List saves that were refused and kept.",
    request=RecoveryListRequest,
    response=RecoveryList,
    scope=Scope.FILES_READ,
)
RECOVERY_CONTENT: Final = Operation(
    name="recovery.content",
    method="GET",
    path="/api/recovery/{recovery_id}/content",
    summary="Download what was refused.",
    request=RecoveryRef,
    response=FileContent,
    scope=Scope.FILES_READ,
    content=Content.DOWNLOAD,
)
RECOVERY_RESTORE: Final = Operation(
    name="recovery.restore",
    method="POST",
    path="/api/recovery/{recovery_id}/restore",
    summary="Take a refused save back: as the newest version, or as a new file beside it.",
    request=RecoveryRestore,
    response=FileView,
    scope=Scope.FILES_WRITE,
)
