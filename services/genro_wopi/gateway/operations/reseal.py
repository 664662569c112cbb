"""Encrypting all secrets anew under the first key of the ring, so that older keys can go."""

from collections import Counter
from typing import Final, TypeVar

import msgspec

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.identifiers import tenant_name
from genro_wopi.domain.secrets import Sealed, UnreadableSecretError
from genro_wopi.domain.storages import Storage
from genro_wopi.domain.tenants import Tenant
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.operations.storages import revise_storage
from genro_wopi.gateway.operations.tenants import revise_tenant
from genro_wopi.management.instance import Reseal, Resealed

TENANTS_AT_ONCE: Final = 20

RecordT = TypeVar("RecordT", Tenant, Storage)


class _Count:
    """What was met on the way."""

    def __init__(self, office: Office) -> None:
        self._ring = office.ring
        self.resealed = 0
        self.unreadable: list[str] = []
        self.keys: Counter[str] = Counter()

    def again(self, sealed: Sealed, context: str) -> Sealed:
        """Return a secret under the first key; one that cannot be read stays as it is."""
        if self._ring.is_newest(sealed):
            self.keys[key_of(sealed)] += 1
            return sealed
        try:
            secret = self._ring.open(sealed, context=context)
        except UnreadableSecretError:
            self.unreadable.append(context)
            self.keys[key_of(sealed)] += 1
            return sealed
        self.resealed += 1
        fresh = self._ring.seal(secret, context=context)
        self.keys[key_of(fresh)] += 1
        return fresh


async def reseal(office: Office, _caller: Caller, request: Reseal) -> Resealed:
    """Encrypt the secrets of some tenants anew; the cursor goes on from there."""
    count = _Count(office)
    page = await office.tenants.list_tenants(after=request.cursor, limit=TENANTS_AT_ONCE)
    for tenant in page:
        await _tenant(office, tenant, count)
        for storage in await office.tenants.list_storages(tenant.tenant_id):
            await _storage(office, storage, count)
    return Resealed(
        tenants=len(page),
        resealed=count.resealed,
        unreadable=[_shown(context) for context in count.unreadable],
        keys=dict(count.keys),
        next_cursor=page[-1].public_id if len(page) == TENANTS_AT_ONCE else None,
    )


async def _tenant(office: Office, tenant: Tenant, count: _Count) -> None:
    auth = f"{tenant.tenant_id}/tenant/auth_secret"
    webhook = f"{tenant.tenant_id}/tenant/webhook_secret"

    def anew(known: Tenant, met: _Count) -> Tenant:
        return msgspec.structs.replace(
            known,
            auth_secret=met.again(known.auth_secret, auth) if known.auth_secret else None,
            webhook_secrets=tuple(met.again(s, webhook) for s in known.webhook_secrets),
        )

    if anew(tenant, count) != tenant:
        await revise_tenant(
            office, tenant.tenant_id, lambda known: _next(anew(known, _Count(office)))
        )


async def _storage(office: Office, storage: Storage, count: _Count) -> None:
    def anew(known: Storage, met: _Count) -> Storage:
        sealed = {n: met.again(s, known.seal_context(n)) for n, s in known.sealed.items()}
        return msgspec.structs.replace(known, sealed=sealed)

    if anew(storage, count) != storage:
        await revise_storage(office, storage, lambda known: _next(anew(known, _Count(office))))


async def _next(record: RecordT) -> RecordT:
    return msgspec.structs.replace(record, revision=record.revision + 1)


def _shown(context: str) -> str:
    """Name a secret as the API names its tenant."""
    tenant_id, separator, field = context.partition("/")
    return f"{tenant_name(tenant_id)}{separator}{field}"


def key_of(sealed: Sealed) -> str:
    """Return the id of the key that a secret is encrypted with."""
    return sealed.rpartition(":")[0].rpartition(":")[2]
