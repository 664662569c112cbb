"""Storages: where a tenant's files lie."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from genro_wopi.domain.callers import Scope
from genro_wopi.domain.field_types import CONFIG_FIELDS_MAX, PemText, ShortText
from genro_wopi.domain.storages import StorageProtocol
from genro_wopi.management.operation import Nothing, Operation, Page

CoalesceSeconds = Annotated[int, Meta(ge=0, le=86_400)]
KeepCount = Annotated[int, Meta(ge=1, le=1_000_000)]
KeepDays = Annotated[int, Meta(ge=1, le=36_500)]

Config = Annotated[dict[ShortText, PemText | bool | None], Meta(max_length=CONFIG_FIELDS_MAX)]


class VersionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a storage keeps what was replaced."""

    coalesce_seconds: CoalesceSeconds = 0
    """Autosaves of one editor within this window become one version; 0: each is one."""
    keep_count: KeepCount | None = None
    """The newest so many; null: all."""
    keep_days: KeepDays | None = None
    """Those that were replaced in the last so many days; null: all."""


class StoragePut(msgspec.Struct, frozen=True, kw_only=True):
    """A storage to create, or to replace where it exists."""

    name: ShortText
    protocol: StorageProtocol
    config: Config
    """local: base_path.
    s3: bucket, prefix, endpoint_url, region, access_key_id, secret_access_key, path_style,
    encryption (AES256 or aws:kms), encryption_key_id, ca_certificate (PEM), file_url (true: editors
    read from the store itself, by short-lived addresses).
    webdav: url, username, password, token, verify_tls.
    genro: protocol, and what that protocol of genro-storage takes."""
    versions: VersionSettings = VersionSettings()
    """How long what saves replace is kept; without settings for ever."""
    reuse: bool = False
    """Operator only: take a place that another tenant left. Its plain files become this tenant's;
    versions, deleted files and recovery copies beside them do not."""
    if_revision: int | None = None
    """Only where it still has this revision (also as `If-Match`)."""
    tenant_id: ShortText | None = None


class StoragePatch(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of a storage's configuration; an explicit null clears a field."""

    name: ShortText
    config: Config | UnsetType = UNSET
    versions: VersionSettings | UnsetType = UNSET
    reuse: bool = False
    """As when it is registered."""
    if_revision: int | None = None
    """Only where it still has this revision (also as `If-Match`)."""
    tenant_id: ShortText | None = None


class StorageRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which storage."""

    name: ShortText
    tenant_id: ShortText | None = None


class StorageDelete(StorageRef, frozen=True, kw_only=True):
    """Which storage to remove."""

    if_revision: int | None = None
    """Only where it still has this revision (also as `If-Match`)."""


class StorageListRequest(Page, frozen=True, kw_only=True):
    """Whose storages."""

    tenant_id: ShortText | None = None


class ProbeView(msgspec.Struct, frozen=True, kw_only=True):
    """What a storage can really do."""

    storage_class: str
    versioned: bool
    findings: list[str]
    probed_at: str


class StorageView(msgspec.Struct, frozen=True, kw_only=True):
    """A storage, without its secrets."""

    name: str
    tenant_id: str
    protocol: StorageProtocol
    config: dict[str, str | bool]
    probe: ProbeView | None
    versions: VersionSettings
    revision: int
    created_at: str
    updated_at: str


class StorageList(msgspec.Struct, frozen=True, kw_only=True):
    """All storages of a tenant."""

    items: list[StorageView]
    next_cursor: str | None = None


STORAGES_PUT: Final = Operation(
    name="storages.put",
    method="POST",
    path="/api/storages",
    summary="Register a storage; replaces it where it exists (200). It is probed at once.",
    request=StoragePut,
    response=StorageView,
    scope=Scope.STORAGES,
    status=201,
    arguments=("name",),
)
STORAGES_LIST: Final = Operation(
    name="storages.list",
    method="GET",
    path="/api/storages",
    summary="List storages.",
    request=StorageListRequest,
    response=StorageList,
    scope=Scope.STORAGES,
)
STORAGES_GET: Final = Operation(
    name="storages.get",
    method="GET",
    path="/api/storages/{name}",
    summary="Show a storage.",
    request=StorageRef,
    response=StorageView,
    scope=Scope.STORAGES,
)
STORAGES_UPDATE: Final = Operation(
    name="storages.update",
    method="PATCH",
    path="/api/storages/{name}",
    summary="Change a storage's configuration.",
    request=StoragePatch,
    response=StorageView,
    scope=Scope.STORAGES,
)
STORAGES_DELETE: Final = Operation(
    name="storages.delete",
    method="DELETE",
    path="/api/storages/{name}",
    summary="Forget a storage; its files stay.",
    request=StorageDelete,
    response=Nothing,
    scope=Scope.STORAGES,
    status=204,
    warning="Its documents cannot be opened any more; the files stay.",
)
STORAGES_PROBE: Final = Operation(
    name="storages.probe",
    method="POST",
    path="/api/storages/{name}/probe",
    summary="Try what a storage can really do.",
    request=StorageRef,
    response=ProbeView,
    scope=Scope.STORAGES,
)
