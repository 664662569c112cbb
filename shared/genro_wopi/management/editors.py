"""Editors of the instance (operator) and of tenants."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from genro_wopi.domain.callers import Scope
from genro_wopi.domain.editors import ProofPolicy
from genro_wopi.domain.field_types import ITEMS_MAX, ShortText
from genro_wopi.management.operation import Nothing, Operation, Page
from genro_wopi.management.tenants import Url
from genro_wopi.protocol.check_file_info import EditorKind

Extension = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,16}$", max_length=16)]
Extensions = Annotated[list[Extension], Meta(max_length=ITEMS_MAX)]
Priority = Annotated[int, Meta(ge=0, le=1000)]


class EditorSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An editor of the instance or of a tenant."""

    name: ShortText
    kind: EditorKind
    url: Url
    discovery_url: Url | None = None
    """Where left out: url + /hosting/discovery."""
    proof: ProofPolicy = ProofPolicy.IF_PUBLISHED
    priority: Priority = 100
    extensions: Extensions = []
    addresses: Annotated[list[Url], Meta(max_length=64)] = []
    """Further addresses of the same editor. All sessions of a file go to the same one, as long as
    it answers; a file keeps its address when others are added."""


class EditorPut(EditorSpec, frozen=True, kw_only=True):
    """An editor to add, or to replace where it exists."""

    if_revision: int | None = None
    """Only where it still has this revision (also as `If-Match`)."""
    tenant_id: ShortText | None = None
    """Left out by the operator: an editor of the whole instance."""


class EditorPatch(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of an editor."""

    name: ShortText
    kind: EditorKind | UnsetType = UNSET
    url: Url | UnsetType = UNSET
    discovery_url: Url | UnsetType | None = UNSET
    proof: ProofPolicy | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    extensions: Extensions | UnsetType = UNSET
    addresses: Annotated[list[Url], Meta(max_length=64)] | UnsetType = UNSET
    if_revision: int | None = None
    """Only where it still has this revision (also as `If-Match`)."""
    tenant_id: ShortText | None = None


class EditorRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which editor."""

    name: ShortText
    tenant_id: ShortText | None = None


class EditorDelete(EditorRef, frozen=True, kw_only=True):
    """Which editor to remove."""

    if_revision: int | None = None
    """Only where it still has this revision (also as `If-Match`)."""


class EditorListRequest(Page, frozen=True, kw_only=True):
    """Whose editors."""

    tenant_id: ShortText | None = None


class EditorView(msgspec.Struct, frozen=True, kw_only=True):
    """An editor and what its discovery last said."""

    name: str
    tenant_id: str | None
    kind: EditorKind
    url: str
    discovery_url: str
    proof: ProofPolicy
    priority: int
    extensions: list[str]
    is_available: bool
    """Whether its discovery was ever read."""
    fetched_at: str | None
    file_types: list[str]
    proof_keys: int
    last_error: str | None
    revision: int
    addresses: list["AddressView"]
    """Each address of a pool, the first included."""


class AddressView(msgspec.Struct, frozen=True, kw_only=True):
    """One address of an editor and how it answered last."""

    url: str
    is_available: bool
    fetched_at: str | None
    last_error: str | None


class EditorList(msgspec.Struct, frozen=True, kw_only=True):
    """Editors in the order in which they are tried."""

    items: list[EditorView]
    next_cursor: str | None = None


EDITORS_PUT: Final = Operation(
    name="editors.put",
    method="POST",
    path="/api/editors",
    summary="Add an editor; replaces it where it exists (200).",
    request=EditorPut,
    response=EditorView,
    scope=Scope.EDITORS,
    status=201,
    arguments=("name",),
)
EDITORS_LIST: Final = Operation(
    name="editors.list",
    method="GET",
    path="/api/editors",
    summary="List editors.",
    request=EditorListRequest,
    response=EditorList,
    scope=Scope.EDITORS,
)
EDITORS_UPDATE: Final = Operation(
    name="editors.update",
    method="PATCH",
    path="/api/editors/{name}",
    summary="Change an editor.",
    request=EditorPatch,
    response=EditorView,
    scope=Scope.EDITORS,
)
EDITORS_DELETE: Final = Operation(
    name="editors.delete",
    method="DELETE",
    path="/api/editors/{name}",
    summary="Remove an editor.",
    request=EditorDelete,
    response=Nothing,
    scope=Scope.EDITORS,
    status=204,
    warning="New sessions do not get this editor any more.",
)
EDITORS_REFRESH: Final = Operation(
    name="editors.refresh",
    method="POST",
    path="/api/editors/{name}/refresh",
    summary="Fetch an editor's discovery now.",
    request=EditorRef,
    response=EditorView,
    scope=Scope.EDITORS,
)
