"""The whole configuration as one document: applied again and again, it changes what differs."""

from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from genro_wopi.domain.field_types import (
    CONFIG_FIELDS_MAX,
    ITEMS_MAX,
    AddressText,
    PemText,
    ShortText,
)
from genro_wopi.domain.host_urls import HostUrls
from genro_wopi.domain.storages import StorageProtocol
from genro_wopi.domain.tenants import CALLBACK_PATH_DEFAULT, AuthMethod, WopiMode
from genro_wopi.management.editors import EditorSpec
from genro_wopi.management.operation import Access, Operation
from genro_wopi.management.storages import VersionSettings
from genro_wopi.management.tenants import CallbackPath, Certificates, Events, Name, Origins, Url

TENANTS_MAX: Final = 10_000
STORAGES_MAX: Final = 1000
"""Of a tenant in one document."""


class Keep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instead of a secret: the one that is there stays."""

    keep: Literal[True]


class AuthSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How callbacks authenticate to the tenant's application."""

    method: AuthMethod = AuthMethod.NONE
    token: AddressText | Keep | None = None
    user: AddressText | None = None
    password: AddressText | Keep | None = None


class StorageSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A storage of a tenant."""

    name: ShortText
    protocol: StorageProtocol
    config: Annotated[
        dict[ShortText, PemText | bool | Keep | None], Meta(max_length=CONFIG_FIELDS_MAX)
    ]
    versions: VersionSettings = VersionSettings()


Storages = Annotated[list[StorageSpec], Meta(max_length=STORAGES_MAX)]
Editors = Annotated[list[EditorSpec], Meta(max_length=ITEMS_MAX)]


class TenantSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tenant; what is left out has its default."""

    id: ShortText
    name: Name | None = None
    active: bool = True
    wopi_mode: WopiMode = WopiMode.POOL
    client_base_url: Url | None = None
    client_callback_path: CallbackPath = CALLBACK_PATH_DEFAULT
    client_auth: AuthSpec = AuthSpec()
    client_ca: Certificates = ""
    callback_events: Events = []
    callback_strict: bool = False
    frame_ancestors: Origins = []
    host_urls: HostUrls = HostUrls()
    storages: Storages = []
    editors: Editors = []


CONFIGURATION_BYTES_MAX: Final = 4 * 2**20
"""A thousand tenants with a storage each; the operator's only."""


class ConfigurationApply(msgspec.Struct, frozen=True, kw_only=True):
    """What there should be."""

    tenants: Annotated[list[TenantSpec], Meta(max_length=TENANTS_MAX)] = []
    editors: Editors = []
    """Of the instance."""
    prune: bool = False
    """Whether what is not named is removed: tenants with all that is theirs, storages, editors."""
    dry_run: bool = False
    """Only say what would be done."""


class Action(StrEnum):
    """What was done, or would be."""

    CREATED = "created"
    UPDATED = "updated"
    REMOVED = "removed"
    UNCHANGED = "unchanged"
    FAILED = "failed"


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """One field that differs; secrets are not shown."""

    field: str
    old: str
    new: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One record."""

    kind: str
    """tenant, storage, editor."""
    name: str
    """With the tenant's id and a slash before it, where it is a tenant's."""
    action: Action
    fields: list[FieldChange] = []
    reason: str = ""
    """Why it failed, and what to do."""
    api_key: str | None = None
    """The first key of a new tenant; it is shown this once."""


class ConfigurationApplied(msgspec.Struct, frozen=True, kw_only=True):
    """Every record, in the order in which it was looked at."""

    is_complete: bool
    """Nothing failed."""
    items: list[Change]


class ConfigurationExport(msgspec.Struct, frozen=True, kw_only=True):
    """No parameters."""


class Configuration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What there is, as `configuration.apply` takes it; secrets are kept, not shown."""

    tenants: list[TenantSpec] = []
    editors: list[EditorSpec] = []


CONFIGURATION_APPLY: Final = Operation(
    name="configuration.apply",
    method="POST",
    path="/api/configuration",
    summary="Make tenants, storages and editors as a document says; what is so already stays.",
    request=ConfigurationApply,
    body_bytes_max=CONFIGURATION_BYTES_MAX,
    response=ConfigurationApplied,
    access=Access.ADMIN,
)
CONFIGURATION_EXPORT: Final = Operation(
    name="configuration.export",
    method="GET",
    path="/api/configuration",
    summary="Write tenants, storages and editors as a document, without secrets.",
    request=ConfigurationExport,
    response=Configuration,
    access=Access.ADMIN,
)
