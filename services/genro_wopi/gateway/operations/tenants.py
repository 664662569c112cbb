"""Tenants, their API keys and webhook secrets."""

import base64
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from msgspec import UNSET

from genro_wopi.domain.callers import Caller, Scope
from genro_wopi.domain.errors import (
    ConflictError,
    FieldError,
    InvalidFieldsError,
    NotFoundError,
)
from genro_wopi.domain.host_urls import HostUrls, template_problem
from genro_wopi.domain.identifiers import (
    TenantId,
    TenantName,
    new_tenant_id,
    parse_slug,
    tenant_name,
)
from genro_wopi.domain.revisions import require_revision, revise
from genro_wopi.domain.secrets import Sealed, Secret
from genro_wopi.domain.tenants import (
    CALLBACK_PATH_DEFAULT,
    ApiKey,
    AuthMethod,
    Tenant,
    WopiMode,
    tenant_of,
)
from genro_wopi.gateway.operations import tenant_removal
from genro_wopi.gateway.operations.authenticate import new_api_key
from genro_wopi.gateway.operations.moments import moment_us
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.operations.paging import paged
from genro_wopi.management.operation import Nothing, Page, Upserted
from genro_wopi.management.tenants import (
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyList,
    ApiKeyListRequest,
    ApiKeyRef,
    ApiKeyView,
    ClientAuth,
    TenantChanges,
    TenantDelete,
    TenantList,
    TenantPatch,
    TenantPut,
    TenantRef,
    TenantRegistered,
    TenantView,
    WebhookSecret,
)
from genro_wopi.protocol.times import format_us

WEBHOOK_SECRETS_MAX: Final = 2
"""The newest and the one before it are valid, so that an application can change over."""

_WEBHOOK_SECRET_BYTES: Final = 32
_DEFAULTS: Final[dict[str, Any]] = {
    "client_callback_path": CALLBACK_PATH_DEFAULT,
    "client_ca": "",
    "callback_events": (),
    "frame_ancestors": (),
    "host_urls": HostUrls(),
}
"""What an explicit null sets where the field cannot be empty."""


async def create_tenant(
    office: Office, _caller: Caller, request: TenantPut
) -> Upserted[TenantRegistered]:
    """Register a tenant with its first key, or change it where it exists."""
    name = TenantName(parse_slug("id", request.id))
    known = await office.tenants.get_tenant(name)
    if known is not None:
        return Upserted(_registered(await _revised(office, known, request), None), created=False)
    require_revision(None, request.if_revision)
    now_us, tenant_id = office.clock.now_us(), new_tenant_id(name)
    tenant = Tenant(
        tenant_id=tenant_id,
        name=name,
        active=True,
        wopi_mode=WopiMode.POOL,
        client_base_url=None,
        client_callback_path=CALLBACK_PATH_DEFAULT,
        auth_method=AuthMethod.NONE,
        auth_user=None,
        auth_secret=None,
        webhook_secrets=(_new_webhook_secret(office, tenant_id)[1],),
        frame_ancestors=(),
        revision=0,
        created_us=now_us,
        updated_us=now_us,
    )
    tenant = await _changed(office, tenant, request)
    if not await office.tenants.put_tenant(tenant, was=0):
        raise ConflictError("Another request registered this tenant just now.")
    await tenant_removal.sweep(office)
    key, _ = await _add_key(office, tenant_id, expires_us=None, note="first key")
    return Upserted(_registered(tenant, key.reveal()), created=True)


async def list_tenants(office: Office, _caller: Caller, request: Page) -> TenantList:
    """List tenants by id."""
    found = await office.tenants.list_tenants(after=request.cursor, limit=request.limit)
    cursor = found[-1].public_id if len(found) == request.limit else None
    return TenantList(items=[_view(t) for t in found], next_cursor=cursor)


async def get_tenant(office: Office, caller: Caller, request: TenantRef) -> TenantView:
    """Show a tenant."""
    return _view(await tenant_of(office.tenants, caller, request.tenant_id))


async def update_tenant(office: Office, caller: Caller, request: TenantPatch) -> TenantView:
    """Change a tenant."""
    tenant = await tenant_of(office.tenants, caller, request.tenant_id)
    return _view(await _revised(office, tenant, request))


async def delete_tenant(office: Office, caller: Caller, request: TenantDelete) -> Nothing:
    """Delete a tenant; its sessions end, its files stay where they are.

    Raises:
        ConflictError: it has storages, and `cascade` was not asked for.
    """
    tenant = await tenant_of(office.tenants, caller, request.tenant_id)
    require_revision(tenant, request.if_revision)
    if not request.cascade and await office.tenants.list_storages(tenant.tenant_id):
        raise ConflictError("The tenant has storages; delete them first or add ?cascade=true.")
    await tenant_removal.remove(office, tenant)
    return Nothing()


async def create_api_key(office: Office, caller: Caller, request: ApiKeyCreate) -> ApiKeyCreated:
    """Make a key; it is shown this once."""
    tenant = await tenant_of(office.tenants, caller, request.tenant_id)
    expires_us = moment_us("expires_at", request.expires_at) if request.expires_at else None
    asked = request.scopes or [Scope.ALL]
    scopes = tuple(scope for scope in Scope if scope in asked)
    secret, key = await _add_key(
        office, tenant.tenant_id, expires_us=expires_us, note=request.note, scopes=scopes
    )
    return ApiKeyCreated(**msgspec.structs.asdict(_key_view(key)), api_key=secret.reveal())


async def list_api_keys(office: Office, caller: Caller, request: ApiKeyListRequest) -> ApiKeyList:
    """List a tenant's keys."""
    tenant = await tenant_of(office.tenants, caller, request.tenant_id)
    keys = await office.tenants.list_api_keys(tenant.tenant_id)
    items, cursor = paged(keys, request)
    return ApiKeyList(items=[_key_view(k) for k in items], next_cursor=cursor)


async def delete_api_key(office: Office, caller: Caller, request: ApiKeyRef) -> Nothing:
    """Revoke a key.

    Raises:
        NotFoundError: there is none with this id.
    """
    tenant = await tenant_of(office.tenants, caller, request.tenant_id)
    if not await office.tenants.delete_api_key(tenant.tenant_id, request.key_id):
        raise NotFoundError("There is no such API key.")
    return Nothing()


async def rotate_webhook_secret(
    office: Office, caller: Caller, request: TenantRef
) -> WebhookSecret:
    """Make a new secret for callbacks; the one before it stays valid."""
    tenant = await tenant_of(office.tenants, caller, request.tenant_id)
    secret, sealed = _new_webhook_secret(office, tenant.tenant_id)

    async def change(known: Tenant) -> Tenant:
        kept = (sealed, *known.webhook_secrets)[:WEBHOOK_SECRETS_MAX]
        return msgspec.structs.replace(known, webhook_secrets=kept, revision=known.revision + 1)

    await revise_tenant(office, tenant.tenant_id, change)
    return WebhookSecret(webhook_secret=secret.reveal())


async def revise_tenant(
    office: Office,
    tenant_id: TenantId,
    change: Callable[[Tenant], Awaitable[Tenant]],
    *,
    if_revision: int | None = None,
) -> Tenant:
    """Change a tenant's record, whoever else changes it."""

    async def read() -> Tenant:
        tenant = await office.tenants.get_tenant(tenant_name(tenant_id))
        if tenant is None or tenant.tenant_id != tenant_id:
            raise NotFoundError("There is no such tenant.")
        return tenant

    return await revise(
        read,
        change,
        lambda tenant, was: office.tenants.put_tenant(tenant, was=was),
        if_revision=if_revision,
    )


async def _revised(office: Office, tenant: Tenant, request: TenantChanges) -> Tenant:
    return await revise_tenant(
        office,
        tenant.tenant_id,
        lambda known: _changed(office, known, request),
        if_revision=request.if_revision,
    )


async def _changed(office: Office, tenant: Tenant, request: TenantChanges) -> Tenant:
    changes: dict[str, Any] = {}
    simple = (
        "name",
        "active",
        "wopi_mode",
        "client_base_url",
        "client_callback_path",
        "client_ca",
        "callback_events",
        "callback_strict",
        "frame_ancestors",
        "host_urls",
    )
    for name in simple:
        value = getattr(request, name)
        if value is not UNSET:
            changes[name] = _DEFAULTS.get(name) if value is None else value
    for name in ("frame_ancestors", "callback_events"):
        if name in changes:
            changes[name] = tuple(changes[name])
    if {"client_base_url", "client_callback_path"} & changes.keys():
        changes["callbacks_disabled"] = False
    await _check(office, changes)
    if request.client_auth is not UNSET:
        changes |= _auth(office, tenant.tenant_id, request.client_auth or ClientAuth())
    return msgspec.structs.replace(
        tenant, **changes, revision=tenant.revision + 1, updated_us=office.clock.now_us()
    )


async def _check(office: Office, changes: dict[str, Any]) -> None:
    if changes.get("client_base_url"):
        await office.callback_egress.check_url(changes["client_base_url"], field="client_base_url")
    if changes.get("client_ca"):
        _check_certificates(office, changes["client_ca"])
    if "host_urls" in changes:
        _check_templates(changes["host_urls"])


def _check_certificates(office: Office, pem: str) -> None:
    try:
        office.check_certificates(pem)
    except ValueError as error:
        problem = "paste certificates in PEM, each from BEGIN CERTIFICATE to END CERTIFICATE"
        raise InvalidFieldsError((FieldError("client_ca", problem),)) from error


def _check_templates(urls: HostUrls) -> None:
    templates = msgspec.structs.asdict(urls)
    templates.pop("breadcrumb_brand_name")
    problems = [
        FieldError(f"host_urls.{name}", problem)
        for name, template in templates.items()
        if template is not None and (problem := template_problem(template))
    ]
    if problems:
        raise InvalidFieldsError(tuple(problems))


def _auth(office: Office, tenant_id: TenantId, auth: ClientAuth) -> dict[str, Any]:
    needed = {AuthMethod.BEARER: auth.token, AuthMethod.BASIC: auth.password}
    secret = needed.get(auth.method)
    if auth.method is not AuthMethod.NONE and not secret:
        field = "token" if auth.method is AuthMethod.BEARER else "password"
        problem = f"method {auth.method} needs {field}"
        raise InvalidFieldsError((FieldError("client_auth", problem),))
    context = f"{tenant_id}/tenant/auth_secret"
    sealed = office.ring.seal(Secret(secret), context=context) if secret else None
    return {"auth_method": auth.method, "auth_user": auth.user, "auth_secret": sealed}


def _new_webhook_secret(office: Office, tenant_id: TenantId) -> tuple[Secret, Sealed]:
    raw = base64.b64encode(secrets.token_bytes(_WEBHOOK_SECRET_BYTES)).decode()
    secret = Secret(f"whsec_{raw}")
    return secret, office.ring.seal(secret, context=f"{tenant_id}/tenant/webhook_secret")


async def _add_key(
    office: Office,
    tenant_id: TenantId,
    *,
    expires_us: int | None,
    note: str | None,
    scopes: tuple[Scope, ...] = (Scope.ALL,),
) -> tuple[Secret, ApiKey]:
    secret, key_id, digest = new_api_key(tenant_name(tenant_id))
    key = ApiKey(
        key_id=key_id,
        digest=digest,
        created_us=office.clock.now_us(),
        expires_us=expires_us,
        note=note,
        scopes=scopes,
    )
    await office.tenants.put_api_key(tenant_id, key)
    return secret, key


def _view(tenant: Tenant) -> TenantView:
    return TenantView(
        id=tenant.public_id,
        name=tenant.name,
        active=tenant.active,
        wopi_mode=tenant.wopi_mode,
        client_base_url=tenant.client_base_url,
        client_callback_path=tenant.client_callback_path,
        client_auth=tenant.auth_method,
        client_ca=tenant.client_ca,
        callback_events=list(tenant.callback_events),
        callback_strict=tenant.callback_strict,
        callbacks_disabled=tenant.callbacks_disabled,
        frame_ancestors=list(tenant.frame_ancestors),
        host_urls=tenant.host_urls,
        revision=tenant.revision,
        created_at=format_us(tenant.created_us),
        updated_at=format_us(tenant.updated_us),
    )


def _registered(tenant: Tenant, api_key: str | None) -> TenantRegistered:
    return TenantRegistered(**msgspec.structs.asdict(_view(tenant)), api_key=api_key)


def _key_view(key: ApiKey) -> ApiKeyView:
    return ApiKeyView(
        key_id=key.key_id,
        created_at=format_us(key.created_us),
        expires_at=format_us(key.expires_us) if key.expires_us else None,
        note=key.note,
        scopes=list(key.scopes),
    )
