"""What a tenant's own key may register as a storage: nothing that is another's, or the operator's.

The operator decides freely: several tenants may share a folder or a bucket if that is wanted.
"""

from typing import Final

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import FieldError, ForbiddenError, InvalidFieldsError
from genro_wopi.domain.storages import Storage, StorageProtocol
from genro_wopi.gateway.operations.office import Office

TENANTS_AT_ONCE: Final = 100
ADDRESSES: Final = ("url", "endpoint_url")
"""Options that say where secrets are sent to."""

_SEPARATOR: Final = "/"


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


async def require_own(office: Office, storage: Storage) -> None:
    """Check a storage that a tenant's key registers.

    Raises:
        InvalidFieldsError: it lies in another tenant's folder, or would use the credentials that
            the operator gave to this host.
    """
    if storage.protocol is StorageProtocol.S3:
        has_keys = "access_key_id" in storage.config and "secret_access_key" in storage.sealed
        if not has_keys:
            problem = "give keys of your own; only the operator registers storages without"
            raise _wrong("config.access_key_id", problem)
    if storage.protocol is StorageProtocol.LOCAL:
        await _require_own_folder(office, storage)


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


async def _require_own_folder(office: Office, storage: Storage) -> None:
    own = await office.storages.place(storage)
    after = ""
    while page := await office.tenants.list_tenants(after=after, limit=TENANTS_AT_ONCE):
        after = page[-1].public_id
        for tenant in page:
            if tenant.tenant_id == storage.tenant_id:
                continue
            for other in await office.tenants.list_storages(tenant.tenant_id):
                if _overlap(own, await office.storages.place(other)):
                    raise _wrong(
                        "config.base_path", "it is not free; ask the operator for a folder"
                    )


def _overlap(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return False
    pair = [place.rstrip(_SEPARATOR) + _SEPARATOR for place in (one, other)]
    return pair[0].startswith(pair[1]) or pair[1].startswith(pair[0])


def _wrong(field: str, problem: str) -> InvalidFieldsError:
    return InvalidFieldsError((FieldError(field, problem),))
