"""Storages: registered, probed, shown without their secrets."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import (
    ConflictError,
    FieldError,
    InvalidFieldsError,
    NotFoundError,
)
from genro_wopi.domain.identifiers import parse_slug, tenant_name
from genro_wopi.domain.revisions import require_revision, revise
from genro_wopi.domain.secrets import Sealed, Secret
from genro_wopi.domain.storages import ProbeReport, Storage, StorageFaultError, StorageProtocol
from genro_wopi.domain.tenants import tenant_id_of, tenant_of
from genro_wopi.domain.version_policy import VersionPolicy
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.operations.paging import paged
from genro_wopi.gateway.operations.storage_claims import (
    claimed,
    note_places,
    require_claim,
    require_own,
    require_protocol,
    require_secrets_again,
)
from genro_wopi.management.operation import Nothing, Upserted
from genro_wopi.management.storages import (
    ProbeView,
    StorageDelete,
    StorageList,
    StorageListRequest,
    StoragePatch,
    StoragePut,
    StorageRef,
    StorageView,
    VersionSettings,
)
from genro_wopi.protocol.times import format_us


class LocalConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Configuration of protocol local."""

    base_path: str


class S3Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Configuration of protocol s3; without keys the environment's own credentials count."""

    bucket: str
    prefix: str | None = None
    endpoint_url: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    path_style: bool | None = None
    encryption: Literal["AES256", "aws:kms"] | None = None
    encryption_key_id: str | None = None
    ca_certificate: str | None = None
    file_url: bool | None = None


class WebdavConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Configuration of protocol webdav; a token counts before user name and password."""

    url: str
    username: str | None = None
    password: str | None = None
    token: str | None = None
    verify_tls: bool | None = None


_CONFIGS: Final[dict[StorageProtocol, type[msgspec.Struct]]] = {
    StorageProtocol.LOCAL: LocalConfig,
    StorageProtocol.S3: S3Config,
    StorageProtocol.WEBDAV: WebdavConfig,
}
"""A mount of genro-storage takes what its protocol takes."""

_SECRET_FIELD: Final = re.compile(r"secret|password|passphrase|token|credential|key")
_NO_SECRETS: Final = frozenset({"access_key_id", "encryption_key_id"})
"""Options whose name has such a word are kept encrypted, but for ids of keys."""


async def put_storage(office: Office, caller: Caller, request: StoragePut) -> Upserted[StorageView]:
    """Register a storage, or replace it where it exists; it is probed before it counts.

    Raises:
        InvalidFieldsError: the configuration is wrong, or the probe found that saves could be lost.
        ForbiddenError: the tenant may not register a storage of this protocol.
    """
    name = parse_slug("name", request.name)
    require_protocol(caller, request.protocol)
    tenant = await tenant_of(office.tenants, caller, request.tenant_id)
    known = await office.tenants.get_storage(tenant.tenant_id, name)
    require_revision(known, request.if_revision)
    now_us = office.clock.now_us()
    draft = Storage(
        tenant_id=tenant.tenant_id,
        name=name,
        protocol=request.protocol,
        config={},
        sealed={},
        revision=known.revision + 1 if known else now_us,
        created_us=known.created_us if known else now_us,
        updated_us=now_us,
        versions=_policy(request.versions),
    )
    configured = _configured(office, draft, dict(request.config))
    if not caller.is_admin:
        await require_own(office, configured, known)
    storage = await _proved(office, configured)
    storage = await claimed(office, caller, storage, known, reuse=request.reuse)
    was = known.revision if known else 0
    if not await office.tenants.put_storage(storage, was=was):
        raise ConflictError("Another request changed this storage just now; look at it first.")
    await require_claim(office, storage, known)
    return Upserted(_view(storage), created=known is None)


async def list_storages(office: Office, caller: Caller, request: StorageListRequest) -> StorageList:
    """List a tenant's storages."""
    owner = await tenant_id_of(office.tenants, caller, request.tenant_id)
    found = await office.tenants.list_storages(owner)
    items, cursor = paged(found, request)
    return StorageList(items=[_view(s) for s in items], next_cursor=cursor)


async def get_storage(office: Office, caller: Caller, request: StorageRef) -> StorageView:
    """Show a storage."""
    return _view(await storage_of(office, caller, request.name, request.tenant_id))


async def update_storage(office: Office, caller: Caller, request: StoragePatch) -> StorageView:
    """Change a storage's configuration; what is not named stays.

    Raises:
        InvalidFieldsError: the configuration is wrong, or the probe found that saves could be lost.
        ForbiddenError: the tenant may not register a storage of this protocol.
        PreconditionFailedError: it has another revision than the request names.
    """

    async def change(storage: Storage) -> Storage:
        require_protocol(caller, storage.protocol)
        changed = msgspec.structs.replace(
            storage, revision=storage.revision + 1, updated_us=office.clock.now_us()
        )
        if request.versions is not UNSET:
            changed = msgspec.structs.replace(changed, versions=_policy(request.versions))
        if request.config is UNSET:
            return changed
        config: dict[str, Any] = dict(storage.config)
        for field, sealed in storage.sealed.items():
            config[field] = office.ring.open(sealed, context=storage.seal_context(field)).reveal()
        configured = _configured(office, changed, config | request.config)
        if not caller.is_admin:
            require_secrets_again(storage, configured, dict(request.config))
            await require_own(office, configured, storage)
        proved = await _proved(office, configured)
        return await claimed(office, caller, proved, storage, reuse=request.reuse)

    storage = await storage_of(office, caller, request.name, request.tenant_id)
    changed = await revise_storage(office, storage, change, if_revision=request.if_revision)
    await require_claim(office, changed, storage)
    return _view(changed)


async def delete_storage(office: Office, caller: Caller, request: StorageDelete) -> Nothing:
    """Forget a storage; its files stay."""
    storage = await storage_of(office, caller, request.name, request.tenant_id)
    require_revision(storage, request.if_revision)
    await note_places(office)
    await office.tenants.delete_storage(storage.tenant_id, storage.name)
    return Nothing()


async def probe_storage(office: Office, caller: Caller, request: StorageRef) -> ProbeView:
    """Try again what a storage can really do."""
    storage = await storage_of(office, caller, request.name, request.tenant_id)
    report = await (await office.storages.open(storage)).probe()

    async def change(known: Storage) -> Storage:
        return msgspec.structs.replace(known, probe=report, revision=known.revision + 1)

    await revise_storage(office, storage, change)
    return _probe_view(report)


async def revise_storage(
    office: Office,
    storage: Storage,
    change: Callable[[Storage], Awaitable[Storage]],
    *,
    if_revision: int | None = None,
) -> Storage:
    """Change a storage's record, whoever else changes it."""

    async def read() -> Storage:
        known = await office.tenants.get_storage(storage.tenant_id, storage.name)
        if known is None:
            raise NotFoundError(f"There is no storage {storage.name!r} any more.")
        return known

    return await revise(
        read,
        change,
        lambda changed, was: office.tenants.put_storage(changed, was=was),
        if_revision=if_revision,
    )


async def storage_of(office: Office, caller: Caller, name: str, tenant_id: str | None) -> Storage:
    """Return the storage that a call is about.

    Raises:
        NotFoundError: there is none that the caller may see.
    """
    owner = await tenant_id_of(office.tenants, caller, tenant_id)
    storage = await office.tenants.get_storage(owner, name)
    if storage is None:
        raise NotFoundError(f"There is no storage {name!r}; register it with POST /api/storages.")
    return storage


def _configured(office: Office, draft: Storage, config: dict[str, Any]) -> Storage:
    """Check a configuration and seal its secrets."""
    values: dict[str, Any] = {k: v for k, v in config.items() if v is not None}
    if draft.protocol in _CONFIGS:
        try:
            checked = msgspec.convert(values, _CONFIGS[draft.protocol])
        except msgspec.ValidationError as error:
            raise InvalidFieldsError((FieldError("config", str(error)),)) from error
        values = {k: v for k, v in msgspec.structs.asdict(checked).items() if v is not None}
    sealed: dict[str, Sealed] = {
        field: office.ring.seal(Secret(str(values.pop(field))), context=draft.seal_context(field))
        for field in [n for n in values if is_secret(n)]
    }
    return msgspec.structs.replace(draft, config=values, sealed=sealed)


def is_secret(field: str) -> bool:
    """Tell whether an option of a storage is kept encrypted, by its name."""
    return _SECRET_FIELD.search(field) is not None and field not in _NO_SECRETS


async def _proved(office: Office, storage: Storage) -> Storage:
    """Probe a storage; it counts where saves are safe in it."""
    backend = await office.storages.open(storage)
    try:
        report = await backend.probe()
    except StorageFaultError as error:
        raise InvalidFieldsError((FieldError("config", str(error)),)) from error
    if report.storage_class == "none":
        problem = "saves could be lost here: " + " ".join(report.findings)
        raise InvalidFieldsError((FieldError("config", problem),))
    return msgspec.structs.replace(storage, probe=report, revision=storage.revision + 1)


def _policy(settings: VersionSettings) -> VersionPolicy:
    return VersionPolicy(**msgspec.structs.asdict(settings))


def _view(storage: Storage) -> StorageView:
    return StorageView(
        name=storage.name,
        tenant_id=tenant_name(storage.tenant_id),
        protocol=storage.protocol,
        config=storage.config,
        probe=_probe_view(storage.probe) if storage.probe else None,
        versions=VersionSettings(**msgspec.structs.asdict(storage.versions)),
        revision=storage.revision,
        created_at=format_us(storage.created_us),
        updated_at=format_us(storage.updated_us),
    )


def _probe_view(report: ProbeReport) -> ProbeView:
    return ProbeView(
        storage_class=report.storage_class,
        versioned=report.versioned,
        findings=list(report.findings),
        probed_at=format_us(report.probed_us),
    )
