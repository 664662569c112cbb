"""Tenants, their API keys and webhook secrets."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from genro_wopi.domain.callers import Scope
from genro_wopi.domain.events import EventName
from genro_wopi.domain.field_types import ITEMS_MAX, AddressText, PemText, ShortText
from genro_wopi.domain.host_urls import HostUrls
from genro_wopi.domain.tenants import AuthMethod, WopiMode
from genro_wopi.management.operation import Access, Nothing, Operation, Page

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Url = Annotated[str, Meta(pattern=r"^https?://", max_length=2000)]
CallbackPath = Annotated[str, Meta(pattern=r"^/", max_length=1000)]
Certificates = PemText
Origin = Annotated[str, Meta(pattern=r"^https?://(\*\.)?[A-Za-z0-9._\[\]:-]+$", max_length=300)]
Events = Annotated[list[EventName], Meta(max_length=ITEMS_MAX)]
Origins = Annotated[list[Origin], Meta(max_length=ITEMS_MAX)]


class ClientAuth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How callbacks authenticate to the tenant's application."""

    method: AuthMethod = AuthMethod.NONE
    token: AddressText | None = None
    """Of method bearer."""
    user: AddressText | None = None
    """Of method basic."""
    password: AddressText | None = None
    """Of method basic."""


class TenantChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What can be said of a tenant; an explicit null clears a field."""

    name: Name | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    wopi_mode: WopiMode | UnsetType = UNSET
    client_base_url: Url | UnsetType | None = UNSET
    client_callback_path: CallbackPath | UnsetType | None = UNSET
    client_auth: ClientAuth | UnsetType | None = UNSET
    client_ca: Certificates | UnsetType | None = UNSET
    """Certificates in PEM that callbacks trust besides the machine's."""
    callback_events: Events | UnsetType | None = UNSET
    """Events that are sent; null: all."""
    callback_strict: bool | UnsetType = UNSET
    """Whether only an answer of {"ok": true} counts as delivered."""
    frame_ancestors: Origins | UnsetType | None = UNSET
    host_urls: HostUrls | UnsetType | None = UNSET
    """Templates with {file_path}, {file_name}, {file_id}, {session_id}, {user_id} …"""
    if_revision: int | None = None
    """Only where it still has this revision (also as `If-Match`)."""


class TenantPut(TenantChanges, frozen=True, kw_only=True):
    """A tenant to create, or to change where it exists."""

    id: ShortText


class TenantPatch(TenantChanges, frozen=True, kw_only=True):
    """Changes of a tenant; an explicit null clears a field."""

    tenant_id: ShortText


class TenantView(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant, without its secrets."""

    id: str
    name: str
    active: bool
    wopi_mode: WopiMode
    client_base_url: str | None
    client_callback_path: str
    client_auth: AuthMethod
    client_ca: str
    callback_events: list[str]
    callback_strict: bool
    callbacks_disabled: bool
    """The application answered 410; changing client_base_url or its path ends that."""
    frame_ancestors: list[str]
    host_urls: HostUrls
    revision: int
    created_at: str
    updated_at: str


class TenantRegistered(TenantView, frozen=True, kw_only=True, omit_defaults=True):
    """A tenant; with its first API key when it was registered just now."""

    api_key: str | None = None


class TenantList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of tenants."""

    items: list[TenantView]
    next_cursor: str | None


class TenantDelete(msgspec.Struct, frozen=True, kw_only=True):
    """Which tenant to delete."""

    tenant_id: ShortText
    cascade: bool = False
    """Delete its keys, storages and editors too; its files stay where they are."""
    if_revision: int | None = None
    """Only where it still has this revision (also as `If-Match`)."""


class TenantRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which tenant."""

    tenant_id: ShortText


class ApiKeyCreate(msgspec.Struct, frozen=True, kw_only=True):
    """A key to make."""

    tenant_id: ShortText
    expires_at: ShortText | None = None
    """ISO 8601; never where it is left out."""
    note: Annotated[str, Meta(max_length=200)] | None = None
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=ITEMS_MAX)] | None = None
    """What it is for; all where it is left out. To open documents ``sessions`` is enough."""


class ApiKeyListRequest(Page, frozen=True, kw_only=True):
    """Whose keys."""

    tenant_id: ShortText


class ApiKeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without the key."""

    key_id: str
    created_at: str
    expires_at: str | None
    note: str | None
    scopes: list[Scope]


class ApiKeyCreated(ApiKeyView, frozen=True, kw_only=True):
    """A new key; this is the only time that it is shown."""

    api_key: str


class ApiKeyList(msgspec.Struct, frozen=True, kw_only=True):
    """All keys of a tenant."""

    items: list[ApiKeyView]
    next_cursor: str | None = None


class ApiKeyRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which key."""

    tenant_id: ShortText
    key_id: ShortText


class WebhookSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A new secret for callbacks; this is the only time that it is shown."""

    webhook_secret: str


TENANTS_CREATE: Final = Operation(
    name="tenants.create",
    method="POST",
    path="/api/tenants",
    summary="Register a tenant; changes it where it exists (200).",
    request=TenantPut,
    response=TenantRegistered,
    access=Access.ADMIN,
    status=201,
    arguments=("id",),
)
TENANTS_LIST: Final = Operation(
    name="tenants.list",
    method="GET",
    path="/api/tenants",
    summary="List tenants.",
    request=Page,
    response=TenantList,
    access=Access.ADMIN,
)
TENANTS_GET: Final = Operation(
    name="tenants.get",
    method="GET",
    path="/api/tenants/{tenant_id}",
    summary="Show a tenant.",
    request=TenantRef,
    response=TenantView,
    scope=Scope.ALL,
)
TENANTS_UPDATE: Final = Operation(
    name="tenants.update",
    method="PATCH",
    path="/api/tenants/{tenant_id}",
    summary="Change a tenant.",
    request=TenantPatch,
    response=TenantView,
    access=Access.ADMIN,
)
TENANTS_DELETE: Final = Operation(
    name="tenants.delete",
    method="DELETE",
    path="/api/tenants/{tenant_id}",
    summary="Delete a tenant; its files stay.",
    request=TenantDelete,
    response=Nothing,
    access=Access.ADMIN,
    status=204,
    warning="Its sessions end, its keys and storages are forgotten; its files stay.",
)
API_KEYS_CREATE: Final = Operation(
    name="api-keys.create",
    method="POST",
    path="/api/tenants/{tenant_id}/api-keys",
    summary="Make an API key.",
    request=ApiKeyCreate,
    response=ApiKeyCreated,
    access=Access.ADMIN,
    status=201,
)
API_KEYS_LIST: Final = Operation(
    name="api-keys.list",
    method="GET",
    path="/api/tenants/{tenant_id}/api-keys",
    summary="List API keys.",
    request=ApiKeyListRequest,
    response=ApiKeyList,
    access=Access.ADMIN,
)
API_KEYS_DELETE: Final = Operation(
    name="api-keys.delete",
    method="DELETE",
    path="/api/tenants/{tenant_id}/api-keys/{key_id}",
    summary="Revoke an API key.",
    request=ApiKeyRef,
    response=Nothing,
    access=Access.ADMIN,
    status=204,
    warning="Applications that use this key are refused at once.",
)
WEBHOOK_SECRET_ROTATE: Final = Operation(
    name="tenants.rotate-webhook-secret",
    method="POST",
    path="/api/tenants/{tenant_id}/webhook-secret",
    summary="Make a new secret for callbacks; the one before stays valid.",
    request=TenantRef,
    response=WebhookSecret,
    scope=Scope.ALL,
)
