"""The configuration as one document: what differs is changed, by the operations that exist.

Each record is compared with what is there, secrets included, so that a document that is applied
again changes nothing. A record that fails does not keep the others from being applied.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import msgspec

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.editors import DISCOVERY_PATH, Editor
from genro_wopi.domain.errors import FieldError, HostError, InvalidFieldsError
from genro_wopi.domain.identifiers import TenantId, TenantName, tenant_name
from genro_wopi.domain.secrets import UnreadableSecretError
from genro_wopi.domain.storages import Storage
from genro_wopi.domain.tenants import AuthMethod, Tenant
from genro_wopi.gateway.operations import editors, storages, tenants
from genro_wopi.gateway.operations.office import Office
from genro_wopi.management.configuration import (
    Action,
    AuthSpec,
    Change,
    Configuration,
    ConfigurationApplied,
    ConfigurationApply,
    ConfigurationExport,
    FieldChange,
    Keep,
    StorageSpec,
    TenantSpec,
)
from genro_wopi.management.editors import EditorDelete, EditorPut, EditorSpec
from genro_wopi.management.storages import StorageDelete, StoragePut, VersionSettings
from genro_wopi.management.tenants import ClientAuth, TenantDelete, TenantPut

PAGE: Final = 100
SHOWN_LENGTH_MAX: Final = 80
_SECRET: Final = "***"  # noqa: S105 - what is shown instead of one

Flat = dict[str, Any]
"""A record as fields and values; secrets in clear, for comparing only."""


async def apply_configuration(
    office: Office, caller: Caller, request: ConfigurationApply
) -> ConfigurationApplied:
    """Make everything as the document says."""
    work = _Work(office, caller, dry_run=request.dry_run)
    for editor in request.editors:
        await work.editor("", editor)
    for tenant in request.tenants:
        await work.tenant(tenant)
    if request.prune:
        await work.prune(request)
    return ConfigurationApplied(
        is_complete=all(c.action is not Action.FAILED for c in work.changes), items=work.changes
    )


async def export_configuration(
    office: Office, _caller: Caller, _request: ConfigurationExport
) -> Configuration:
    """Write everything as a document."""
    return Configuration(
        tenants=[await _tenant_spec(office, tenant) for tenant in await _tenants(office)],
        editors=[_editor_spec(e) for e in await office.editors.list_editors("")],
    )


class _Work:
    """One document on its way."""

    def __init__(self, office: Office, caller: Caller, *, dry_run: bool) -> None:
        self._office = office
        self._caller = caller
        self._dry_run = dry_run
        self.changes: list[Change] = []

    async def tenant(self, spec: TenantSpec) -> None:
        """Apply a tenant with its storages and editors."""
        office = self._office
        known = await office.tenants.get_tenant(TenantName(spec.id))
        if not await self._record(
            "tenant",
            spec.id,
            lambda: _flat_tenant(office, known) if known else None,
            lambda old: _wanted_tenant(spec, old or {}),
            lambda wanted: self._put_tenant(spec, wanted),
        ):
            return
        made = await office.tenants.get_tenant(TenantName(spec.id))
        # Under the id of a tenant that a dry run did not make, nothing is kept.
        tenant_id = made.tenant_id if made else TenantId(spec.id)
        for storage in spec.storages:
            await self._storage(tenant_id, storage)
        for editor in spec.editors:
            await self.editor(tenant_id, editor)

    async def editor(self, scope: str, spec: EditorSpec) -> None:
        """Apply an editor of the instance (empty scope) or of a tenant."""
        known = await self._office.editors.get_editor(scope, spec.name)
        await self._record(
            "editor",
            _named(scope, spec.name),
            lambda: _plain(_editor_spec(known)) if known else None,
            lambda _old: (
                _plain(spec)
                | {"discovery_url": spec.discovery_url or spec.url.rstrip("/") + DISCOVERY_PATH}
            ),
            lambda _wanted: self._put_editor(scope, spec),
        )

    async def prune(self, request: ConfigurationApply) -> None:
        """Remove what the document does not name."""
        office, caller = self._office, self._caller
        named = {t.id: t for t in request.tenants}
        for tenant in await _tenants(office):
            tenant_id, name = tenant.tenant_id, tenant.public_id
            spec = named.get(name)
            if spec is None:
                gone = TenantDelete(tenant_id=name, cascade=True)
                await self._remove(
                    "tenant",
                    name,
                    lambda gone=gone: tenants.delete_tenant(office, caller, gone),
                )
                continue
            kept = {s.name for s in spec.storages}
            for storage in await office.tenants.list_storages(tenant_id):
                if storage.name not in kept:
                    what = StorageDelete(name=storage.name, tenant_id=name)
                    await self._remove(
                        "storage",
                        _named(tenant_id, storage.name),
                        lambda what=what: storages.delete_storage(office, caller, what),
                    )
            await self._prune_editors(tenant_id, spec.editors)
        await self._prune_editors("", request.editors)

    async def _prune_editors(self, scope: str, specs: list[EditorSpec]) -> None:
        office, caller, kept = self._office, self._caller, {e.name for e in specs}
        for editor in await office.editors.list_editors(scope):
            if editor.name not in kept:
                what = EditorDelete(name=editor.name, tenant_id=tenant_name(scope) or None)
                await self._remove(
                    "editor",
                    _named(scope, editor.name),
                    lambda what=what: editors.delete_editor(office, caller, what),
                )

    async def _storage(self, tenant_id: TenantId, spec: StorageSpec) -> None:
        office = self._office
        known = await office.tenants.get_storage(tenant_id, spec.name)
        await self._record(
            "storage",
            _named(tenant_id, spec.name),
            lambda: _flat_storage(office, known) if known else None,
            lambda old: _wanted_storage(spec, old or {}),
            lambda wanted: self._put_storage(tenant_id, spec, wanted),
        )

    async def _record(
        self,
        kind: str,
        name: str,
        read: Callable[[], Flat | None],
        want: Callable[[Flat | None], Flat],
        put: Callable[[Flat], Awaitable[str | None]],
    ) -> bool:
        """Compare one record, and write it where it differs; False where that failed."""
        fields: list[FieldChange] = []
        try:
            old = read()
            wanted = want(old)
            fields = _differences(old or {}, wanted)
            action = Action.UPDATED if old is not None else Action.CREATED
            if old is not None and not fields:
                action = Action.UNCHANGED
            api_key = None
            if action is not Action.UNCHANGED and not self._dry_run:
                api_key = await put(wanted)
        except (HostError, UnreadableSecretError) as error:
            self.changes.append(
                Change(kind=kind, name=name, action=Action.FAILED, fields=fields, reason=str(error))
            )
            return False
        shown = fields if action is Action.UPDATED else []
        self.changes.append(
            Change(kind=kind, name=name, action=action, fields=shown, api_key=api_key)
        )
        return True

    async def _remove(self, kind: str, name: str, remove: Callable[[], Awaitable[object]]) -> None:
        try:
            if not self._dry_run:
                await remove()
        except HostError as error:
            change = Change(kind=kind, name=name, action=Action.FAILED, reason=str(error))
        else:
            change = Change(kind=kind, name=name, action=Action.REMOVED)
        self.changes.append(change)

    async def _put_tenant(self, spec: TenantSpec, wanted: Flat) -> str | None:
        auth = ClientAuth(
            method=spec.client_auth.method,
            user=spec.client_auth.user,
            token=wanted["client_auth.token"],
            password=wanted["client_auth.password"],
        )
        request = TenantPut(
            id=spec.id,
            name=spec.name or spec.id,
            active=spec.active,
            wopi_mode=spec.wopi_mode,
            client_base_url=spec.client_base_url,
            client_callback_path=spec.client_callback_path,
            client_auth=auth,
            client_ca=spec.client_ca,
            callback_events=spec.callback_events,
            callback_strict=spec.callback_strict,
            frame_ancestors=spec.frame_ancestors,
            host_urls=spec.host_urls,
        )
        made = await tenants.create_tenant(self._office, self._caller, request)
        return made.value.api_key

    async def _put_storage(
        self, tenant_id: TenantId, spec: StorageSpec, wanted: Flat
    ) -> str | None:
        prefix = "config."
        config = {k.removeprefix(prefix): v for k, v in wanted.items() if k.startswith(prefix)}
        request = StoragePut(
            name=spec.name,
            protocol=spec.protocol,
            config=config,
            versions=spec.versions,
            tenant_id=tenant_name(tenant_id),
        )
        await storages.put_storage(self._office, self._caller, request)
        return None

    async def _put_editor(self, scope: str, spec: EditorSpec) -> str | None:
        request = EditorPut(**msgspec.structs.asdict(spec), tenant_id=tenant_name(scope) or None)
        await editors.put_editor(self._office, self._caller, request)
        return None


def _named(scope: str, name: str) -> str:
    """Name a record of a tenant, or of the instance (empty scope)."""
    return f"{tenant_name(scope)}/{name}" if scope else name


async def _tenants(office: Office) -> list[Tenant]:
    found: list[Tenant] = []
    after = ""
    while page := await office.tenants.list_tenants(after=after, limit=PAGE):
        found += page
        after = page[-1].public_id
    return found


def _plain(spec: msgspec.Struct) -> Flat:
    return cast("Flat", msgspec.to_builtins(spec))


def _flat_tenant(office: Office, tenant: Tenant) -> Flat:
    secret = None
    if tenant.auth_secret is not None:
        context = f"{tenant.tenant_id}/tenant/auth_secret"
        secret = office.ring.open(tenant.auth_secret, context=context).reveal()
    auth = AuthSpec(
        method=tenant.auth_method,
        user=tenant.auth_user,
        token=secret if tenant.auth_method is AuthMethod.BEARER else None,
        password=secret if tenant.auth_method is AuthMethod.BASIC else None,
    )
    return _tenant_fields(_tenant_spec_with(tenant, auth))


def _wanted_tenant(spec: TenantSpec, old: Flat) -> Flat:
    named = msgspec.structs.replace(spec, name=spec.name or spec.id)
    return _resolved(_tenant_fields(named), old)


def _tenant_fields(spec: TenantSpec) -> Flat:
    """Return a tenant's own fields, those of `client_auth` one by one."""
    values = {f: getattr(spec, f) for f in spec.__struct_fields__}
    for apart in ("storages", "editors", "client_auth"):
        values.pop(apart)
    auth = {f: getattr(spec.client_auth, f) for f in spec.client_auth.__struct_fields__}
    values |= {f"client_auth.{name}": value for name, value in auth.items()}
    return {k: v if isinstance(v, Keep) else msgspec.to_builtins(v) for k, v in values.items()}


def _flat_storage(office: Office, storage: Storage) -> Flat:
    opened = {
        name: office.ring.open(sealed, context=storage.seal_context(name)).reveal()
        for name, sealed in storage.sealed.items()
    }
    config = {f"config.{name}": value for name, value in (storage.config | opened).items()}
    versions = VersionSettings(**msgspec.structs.asdict(storage.versions))
    return {"protocol": storage.protocol.value, "versions": _plain(versions), **config}


def _wanted_storage(spec: StorageSpec, old: Flat) -> Flat:
    config = {f"config.{name}": value for name, value in spec.config.items() if value is not None}
    wanted = {"protocol": spec.protocol.value, "versions": _plain(spec.versions), **config}
    return _resolved(wanted, old)


def _resolved(wanted: Flat, old: Flat) -> Flat:
    """Put what is there in the place of each `keep`.

    Raises:
        InvalidFieldsError: there is nothing to keep.
    """
    missing = [n for n, v in wanted.items() if isinstance(v, Keep) and not old.get(n)]
    if missing:
        problem = "there is no secret to keep yet; give it with {env: NAME} or {file: PATH}"
        raise InvalidFieldsError(tuple(FieldError(name, problem) for name in missing))
    return {n: old[n] if isinstance(v, Keep) else v for n, v in wanted.items()}


def _differences(old: Flat, wanted: Flat) -> list[FieldChange]:
    names = [*wanted, *(name for name in old if name not in wanted)]
    return [
        FieldChange(field=n, old=_shown(n, old.get(n)), new=_shown(n, wanted.get(n)))
        for n in names
        if old.get(n) != wanted.get(n)
    ]


def _shown(name: str, value: object) -> str:
    if value in (None, "", [], {}):
        return "-"
    last = name.rpartition(".")[2]
    is_secret = last in {"token", "password"} or storages.is_secret(last)
    text = _SECRET if is_secret else str(value)
    return text if len(text) <= SHOWN_LENGTH_MAX else text[: SHOWN_LENGTH_MAX - 1] + "…"


async def _tenant_spec(office: Office, tenant: Tenant) -> TenantSpec:
    kept = Keep(keep=True) if tenant.auth_secret is not None else None
    auth = AuthSpec(
        method=tenant.auth_method,
        user=tenant.auth_user,
        token=kept if tenant.auth_method is AuthMethod.BEARER else None,
        password=kept if tenant.auth_method is AuthMethod.BASIC else None,
    )
    return msgspec.structs.replace(
        _tenant_spec_with(tenant, auth),
        storages=[_storage_spec(s) for s in await office.tenants.list_storages(tenant.tenant_id)],
        editors=[_editor_spec(e) for e in await office.editors.list_editors(tenant.tenant_id)],
    )


def _tenant_spec_with(tenant: Tenant, auth: AuthSpec) -> TenantSpec:
    return msgspec.convert(
        {
            "id": tenant.public_id,
            "name": tenant.name,
            "active": tenant.active,
            "wopi_mode": tenant.wopi_mode,
            "client_base_url": tenant.client_base_url,
            "client_callback_path": tenant.client_callback_path,
            "client_auth": auth,
            "client_ca": tenant.client_ca,
            "callback_events": list(tenant.callback_events),
            "callback_strict": tenant.callback_strict,
            "frame_ancestors": list(tenant.frame_ancestors),
            "host_urls": tenant.host_urls,
        },
        TenantSpec,
        from_attributes=True,
    )


def _storage_spec(storage: Storage) -> StorageSpec:
    kept: dict[str, str | bool | Keep | None] = {n: Keep(keep=True) for n in storage.sealed}
    return StorageSpec(
        name=storage.name,
        protocol=storage.protocol,
        config={**storage.config, **kept},
        versions=VersionSettings(**msgspec.structs.asdict(storage.versions)),
    )


def _editor_spec(editor: Editor) -> EditorSpec:
    return EditorSpec(
        name=editor.name,
        kind=editor.kind,
        url=editor.url,
        discovery_url=editor.discovery_url,
        proof=editor.proof,
        priority=editor.priority,
        extensions=list(editor.extensions),
        addresses=list(editor.addresses),
    )
