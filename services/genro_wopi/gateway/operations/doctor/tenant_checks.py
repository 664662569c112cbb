"""Whether a tenant's storages, editors and callbacks work."""

from typing import Final

from genro_wopi.domain.doctor import Level, UnreachedError
from genro_wopi.domain.errors import HostError
from genro_wopi.domain.events import EventStatus
from genro_wopi.domain.identifiers import tenant_name
from genro_wopi.domain.secrets import Sealed, UnreadableSecretError
from genro_wopi.domain.storages import Storage
from genro_wopi.domain.tenants import AuthMethod, Tenant, WopiMode
from genro_wopi.gateway.operations.doctor.case import Case
from genro_wopi.gateway.operations.doctor.host_checks import is_local
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.operations.storage_check import bad_records

NOBODY_THERE: Final = frozenset({404, 502, 503, 504})
"""What is answered where the path or the application is missing; others it says itself."""

NOT_BELIEVED: Final = frozenset({401, 403})
"""What an application answers to a callback whose signature or login it does not accept."""

DEAD_SHOWN: Final = 1000


async def examine_tenant(case: Case, office: Office, tenant: Tenant) -> None:
    """Examine one tenant, without its editors."""
    subject = f"tenant {tenant.public_id}"
    case.look(
        "tenant.active",
        is_well=tenant.active,
        what="It is suspended.",
        remedy=f"genro-wopi tenants update {tenant.public_id} --active",
        subject=subject,
        level=Level.WARNING,
    )
    own = await office.editors.list_editors(tenant.tenant_id)
    case.look(
        "tenant.mode",
        is_well=tenant.wopi_mode is WopiMode.POOL
        or (tenant.wopi_mode is WopiMode.OWN and bool(own)),
        what=f"Its wopi_mode is {tenant.wopi_mode} and it has {len(own) or 'no'} editors of its"
        " own.",
        remedy=f"genro-wopi tenants update {tenant.public_id} --wopi-mode pool; or give it an"
        f" editor: genro-wopi editors put … --tenant {tenant.public_id}",
        subject=subject,
    )
    _secrets(case, office, tenant, subject)
    await _storages(case, office, tenant, subject)
    await _callbacks(case, office, tenant, subject)


def _secrets(case: Case, office: Office, tenant: Tenant, subject: str) -> None:
    sealed = [(s, f"{tenant.tenant_id}/tenant/webhook_secret") for s in tenant.webhook_secrets]
    if tenant.auth_secret is not None and tenant.auth_method is not AuthMethod.NONE:
        sealed.append((tenant.auth_secret, f"{tenant.tenant_id}/tenant/auth_secret"))
    _readable(case, office, sealed, subject)


def _readable(case: Case, office: Office, sealed: list[tuple[Sealed, str]], subject: str) -> None:
    unreadable = old = 0
    for secret, context in sealed:
        try:
            office.ring.open(secret, context=context)
        except UnreadableSecretError:
            unreadable += 1
        else:
            old += not office.ring.is_newest(secret)
    case.look(
        "secrets.readable",
        is_well=not unreadable,
        what=f"{unreadable} of its secrets cannot be decrypted.",
        remedy="Put the key that they were encrypted with back into WOPI_ENCRYPTION_KEYS, after the"
        " first one; or set the secrets anew.",
        subject=subject,
    )
    case.look(
        "secrets.old-key",
        is_well=not old,
        what=f"{old} of its secrets are encrypted with an older key.",
        remedy="genro-wopi keys rotate",
        subject=subject,
        level=Level.NOTE,
    )


async def _storages(case: Case, office: Office, tenant: Tenant, subject: str) -> None:
    storages = await office.tenants.list_storages(tenant.tenant_id)
    case.look(
        "storages.some",
        is_well=bool(storages),
        what="It has no storage.",
        remedy=f"genro-wopi storages put documents --protocol s3 --config bucket=… --tenant"
        f" {tenant.public_id}",
        subject=subject,
        level=Level.WARNING,
    )
    for storage in storages:
        sealed = [(s, storage.seal_context(name)) for name, s in storage.sealed.items()]
        _readable(case, office, sealed, f"{subject}, storage {storage.name}")
        await _storage(case, office, storage, f"{subject}, storage {storage.name}")


async def _storage(case: Case, office: Office, storage: Storage, subject: str) -> None:
    try:
        report = await (await office.storages.open(storage)).probe()
        problem = "" if report.storage_class != "none" else " ".join(report.findings)
    except (HostError, UnreadableSecretError) as error:
        report, problem = None, str(error)
    case.look(
        "storage.answers",
        is_well=not problem,
        what=f"The probe failed: {problem}",
        remedy=f"genro-wopi storages update {storage.name} --config … --tenant"
        f" {tenant_name(storage.tenant_id)}; WOPI_STORAGE_ALLOW names stores that are not public.",
        subject=subject,
    )
    if report is not None and not problem:
        case.look(
            "storage.class",
            is_well=report.storage_class == "A",
            what="The store has no conditional write (class B).",
            remedy="Use a store with If-Match, or let this host be its only writer.",
            subject=subject,
            level=Level.NOTE,
        )
        await _records(case, office, storage, subject)


async def _records(case: Case, office: Office, storage: Storage, subject: str) -> None:
    """Look at the first part of what a check of the storage looks at, and at recovery copies."""
    try:
        bad = await bad_records(office, storage)
    except HostError:
        return  # The probe has said what the storage does not do.
    case.look(
        "storage.records",
        is_well=not bad,
        what=f"{len(bad)} of the host's records in it do not count: they cannot be read, or are"
        f" another tenant's; the first is {bad[0] if bad else ''}.",
        remedy=f"See all of them: genro-wopi storages fsck {storage.name} --tenant"
        f" {tenant_name(storage.tenant_id)}; and who else can write to the storage.",
        subject=subject,
        level=Level.WARNING,
    )


async def _callbacks(case: Case, office: Office, tenant: Tenant, subject: str) -> None:
    change = f"genro-wopi tenants update {tenant.public_id}"
    url = tenant.client_base_url
    if not case.look(
        "callbacks.address",
        is_well=bool(url),
        what="It has no client_base_url.",
        remedy=f"{change} --client-base-url https://app.example.org",
        subject=subject,
        level=Level.NOTE,
    ):
        return
    address = tenant.callback_url
    case.look(
        "callbacks.disabled",
        is_well=not tenant.callbacks_disabled,
        what="Its application answered 410, so nothing more is sent to it.",
        remedy=f"{change} --client-base-url {url}",
        subject=subject,
    )
    case.look(
        "callbacks.scheme",
        is_well=address.startswith("https://") or is_local(address),
        what=f"Callbacks go to {address}.",
        remedy=f"{change} --client-base-url {(url or '').replace('http://', 'https://', 1)}",
        subject=subject,
        level=Level.WARNING,
    )
    case.look(
        "callbacks.signed",
        is_well=bool(tenant.webhook_secrets),
        what="It has no webhook secret, so its callbacks carry no signature.",
        remedy=f"genro-wopi tenants rotate-webhook-secret {tenant.public_id}",
        subject=subject,
        level=Level.WARNING,
    )
    if not tenant.callbacks_disabled:
        await _ping(case, office, tenant, subject)
    dead = await office.events.find(tenant.tenant_id, EventStatus.DEAD, before="", limit=DEAD_SHOWN)
    case.look(
        "callbacks.dead-letters",
        is_well=not dead,
        what=f"{len(dead)} events were given up; the last one: {dead[0].reason if dead else ''}.",
        remedy=f"genro-wopi events replay-dead --tenant {tenant.public_id}",
        subject=subject,
        level=Level.WARNING,
    )


async def _ping(case: Case, office: Office, tenant: Tenant, subject: str) -> None:
    change = f"genro-wopi tenants update {tenant.public_id}"
    try:
        status = await office.callback_tester.ping(tenant)
        what, is_there = f"{tenant.callback_url} answered {status}.", status not in NOBODY_THERE
    except UnreachedError as error:
        status, what, is_there = 0, f"{tenant.callback_url}: {error}.", False
    except UnreadableSecretError:
        return
    if case.look(
        "callbacks.reachable",
        is_well=is_there,
        what=what,
        remedy=f"{change} --client-base-url … --client-callback-path …; WOPI_CALLBACK_ALLOW names"
        " addresses that are not public, client_ca an authority of its own.",
        subject=subject,
    ):
        case.look(
            "callbacks.signature",
            is_well=status not in NOT_BELIEVED,
            what=f"{tenant.callback_url} answered {status} to a signed ping.",
            remedy="Give the application the newest secret: genro-wopi tenants"
            f" rotate-webhook-secret {tenant.public_id}; or, where it asks for a login: {change}"
            " --client-auth …",
            subject=subject,
        )
