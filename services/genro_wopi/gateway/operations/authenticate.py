"""Who calls the management API: the operator's token, or a tenant's key."""

import hashlib
import hmac
import secrets
from typing import Final

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.clock import Clock
from genro_wopi.domain.errors import UnauthenticatedError
from genro_wopi.domain.identifiers import SLUG, TenantName
from genro_wopi.domain.secrets import Secret
from genro_wopi.domain.tenants import ApiKey, TenantStore

PREFIX: Final = "gwk_"
_SECRET_BYTES: Final = 32


def new_api_key(name: TenantName) -> tuple[Secret, str, str]:
    """Draw a key; return it with its id and its digest. 256 bits are random."""
    key_id = secrets.token_hex(6)
    key = f"{PREFIX}{name}.{key_id}.{secrets.token_urlsafe(_SECRET_BYTES)}"
    return Secret(key), key_id, _digest(key)


async def authenticate(
    shown: str, admin_token: Secret, tenants: TenantStore, clock: Clock
) -> Caller:
    """Tell who shows this token.

    Raises:
        UnauthenticatedError: nobody that counts; the tenant may be suspended.
    """
    if not shown:
        raise UnauthenticatedError(
            "Send 'Authorization: Bearer' with the admin token or an API key."
        )
    if hmac.compare_digest(shown.encode(), admin_token.reveal().encode()):
        return Caller(None)
    name, _, rest = shown.removeprefix(PREFIX).partition(".")
    key_id = rest.partition(".")[0]
    if shown.startswith(PREFIX) and SLUG.fullmatch(name) and key_id:
        tenant = await tenants.get_tenant(TenantName(name))
        if tenant is not None and tenant.active:
            key = await tenants.get_api_key(tenant.tenant_id, key_id)
            if key is not None and _counts(key, shown, clock):
                return Caller(tenant.tenant_id, key.scopes)
    raise UnauthenticatedError("The token is wrong, expired, or its tenant is not active.")


def _counts(key: ApiKey, shown: str, clock: Clock) -> bool:
    is_current = key.expires_us is None or key.expires_us > clock.now_us()
    return hmac.compare_digest(key.digest, _digest(shown)) and is_current


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
