"""What only the editor of a session may read, such as the keys of services that it calls.

It is kept encrypted, bound to its tenant, and is never shown or logged.
"""

import msgspec

from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.secrets import Sealed, Secret, SecretRing


class PrivateInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Collabora's UserPrivateInfo and ServerPrivateInfo."""

    user: dict[str, object] | None = None
    server: dict[str, object] | None = None


def seal_private_info(ring: SecretRing, tenant_id: TenantId, info: PrivateInfo) -> Sealed:
    """Encrypt it for the session's record; empty where there is none."""
    if info.user is None and info.server is None:
        return Sealed("")
    return ring.seal(Secret(msgspec.json.encode(info).decode()), context=_context(tenant_id))


def open_private_info(ring: SecretRing, tenant_id: TenantId, sealed: Sealed) -> PrivateInfo:
    """Decrypt it for the editor.

    Raises:
        UnreadableSecretError: the key is missing, or the value was moved or changed.
    """
    if not sealed:
        return PrivateInfo()
    clear = ring.open(sealed, context=_context(tenant_id)).reveal()
    return msgspec.json.decode(clear, type=PrivateInfo)


def _context(tenant_id: TenantId) -> str:
    return f"{tenant_id}/session/private_info"
