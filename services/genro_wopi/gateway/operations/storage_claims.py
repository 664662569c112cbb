"""Where a storage may lie: no tenant's place overlaps with another's, whoever registers it.

A tenant's own key uses its own folder of this machine, its own credentials, and nothing else; the
operator what overlaps with nobody's. What a removed storage or tenant had stays its own until the
operator gives it on with `reuse`: its plain files then belong to the new tenant, while the records,
versions and recovery copies beside them count no more.
"""

from typing import Final

import msgspec

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import ConflictError, FieldError, ForbiddenError, InvalidFieldsError
from genro_wopi.domain.places import Claim, Place
from genro_wopi.domain.storages import Storage, StorageProtocol
from genro_wopi.gateway.operations.office import Office

TENANTS_AT_ONCE: Final = 100
ADDRESSES: Final = ("url", "endpoint_url")
"""Options that say where secrets are sent to."""

FIELDS: Final = {
    StorageProtocol.LOCAL: "config.base_path",
    StorageProtocol.S3: "config.prefix",
    StorageProtocol.WEBDAV: "config.url",
    StorageProtocol.GENRO: "config",
}
"""What is to be changed where a place is another's."""


def require_protocol(caller: Caller, protocol: StorageProtocol) -> None:
    """Check that a caller may register, or change, a storage of a protocol.

    Raises:
        ForbiddenError: only the operator may.
    """
    if protocol is StorageProtocol.GENRO and not caller.is_admin:
        raise ForbiddenError(
            "Only the operator registers and changes storages of protocol genro: the addresses that"
            " its mounts call cannot be guarded."
        )


async def require_own(office: Office, storage: Storage, known: Storage | None) -> None:
    """Check a storage that a tenant's key registers or changes.

    Raises:
        InvalidFieldsError: it does not lie in the tenant's own folder, or would use the credentials
            that the operator gave to this host.
    """
    if storage.protocol is StorageProtocol.S3:
        has_keys = "access_key_id" in storage.config and "secret_access_key" in storage.sealed
        if not has_keys:
            problem = "give keys of your own; only the operator registers storages without"
            raise _wrong("config.access_key_id", problem)
    place = await office.storages.place(storage)
    if not place.is_own and not await _is_there_already(office, known, place):
        problem = (
            "use the folder that has the tenant's id, directly inside one of WOPI_LOCAL_ROOTS, or"
            " one below it; only the operator registers others"
        )
        raise _wrong(FIELDS[storage.protocol], problem)


def require_secrets_again(known: Storage, changed: Storage, given: dict[str, object]) -> None:
    """Check that secrets which a tenant's key did not give are not sent to another address.

    Raises:
        InvalidFieldsError: the address changes, and a secret was not given again.
    """
    moved = [n for n in ADDRESSES if known.config.get(n) != changed.config.get(n)]
    kept = sorted(name for name in known.sealed if not given.get(name))
    if moved and kept:
        problem = f"give {', '.join(kept)} again, since {moved[0]} changes"
        raise _wrong(f"config.{kept[0]}", problem)


async def claimed(
    office: Office, caller: Caller, storage: Storage, known: Storage | None, *, reuse: bool
) -> Storage:
    """Claim the place of a storage that is about to be stored.

    Args:
        office: the ports.
        caller: who registers it.
        storage: as it is to be stored.
        known: as it was; None for a new one.
        reuse: the operator gives the tenant a place that another one left.

    Returns:
        The storage, which says whether only its own records count.

    Raises:
        ForbiddenError: a tenant's key asks for `reuse`.
        InvalidFieldsError: the place is another tenant's.
    """
    if reuse and not caller.is_admin:
        raise ForbiddenError("Only the operator gives a place of another tenant on (reuse).")
    await note_places(office)
    place = await office.storages.place(storage)
    done = await office.places.claim(place.name, storage.tenant_id)
    if done.others and await _is_there_already(office, known, place):
        return storage  # It was registered before places were claimed; nothing new overlaps.
    if done.others:
        await _require_left(office, storage, done.others, reuse=reuse)
        done = await office.places.claim(place.name, storage.tenant_id, taken=done.others)
    if done.others:
        raise ConflictError("Another request claimed this place just now; try again.")
    return msgspec.structs.replace(storage, own_records_only=done.was_others)


async def require_claim(office: Office, storage: Storage, known: Storage | None) -> None:
    """Check that a place is still the tenant's, after its storage was stored.

    Raises:
        ConflictError: the operator gave it on meanwhile; the storage was removed again.
    """
    place = await office.storages.place(storage)
    if await _is_there_already(office, known, place):
        return
    if await office.places.owner(place.name) != storage.tenant_id:
        await office.tenants.delete_storage(storage.tenant_id, storage.name)
        raise ConflictError("The operator gave this place to another tenant just now.")


async def note_places(office: Office) -> None:
    """Claim the places of storages that were registered before places were claimed, once."""
    if await office.places.is_complete():
        return
    after = ""
    while page := await office.tenants.list_tenants(after=after, limit=TENANTS_AT_ONCE):
        for tenant in page:
            for storage in await office.tenants.list_storages(tenant.tenant_id):
                place = await office.storages.place(storage)
                await office.places.note(place.name, tenant.tenant_id)
        after = page[-1].public_id
    await office.places.complete()


async def _require_left(
    office: Office, storage: Storage, others: list[Claim], *, reuse: bool
) -> None:
    """Check that no storage lies in a place any more that the operator gives on."""
    field = FIELDS[storage.protocol]
    for claim in others:
        for other in await office.tenants.list_storages(claim.tenant_id):
            if _overlap(claim.name, (await office.storages.place(other)).name):
                raise _wrong(field, "it overlaps with a place of another tenant; use another one")
    if not reuse:
        problem = (
            "it was another tenant's, whose files and recovery copies may lie there; the operator"
            " can give it on with reuse=true: the plain files become this tenant's, and what the"
            " host kept beside them counts no more"
        )
        raise _wrong(field, problem)


async def _is_there_already(office: Office, known: Storage | None, place: Place) -> bool:
    return known is not None and (await office.storages.place(known)).name == place.name


def _overlap(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _wrong(field: str, problem: str) -> InvalidFieldsError:
    return InvalidFieldsError((FieldError(field, problem),))
