"""Recovery copies: saves that were received whole and refused. They are kept, never thrown away."""

from typing import Final, Protocol

import msgspec

from genro_wopi.domain.identifiers import FileId, TenantId
from genro_wopi.domain.paths import StoragePath

RESCUE_TTL_S: Final = 30 * 86_400
"""A recovery copy is kept for 30 days."""


class Rescue(msgspec.Struct, frozen=True, kw_only=True):
    """One refused save that was kept."""

    rescue_id: str
    tenant_id: TenantId
    storage_name: str
    file_id: FileId
    file_path: StoragePath
    session_id: str
    account: str
    user: str
    size_bytes: int
    sha256: str
    reason: str
    rescued_us: int


class RescueStore(Protocol):
    """Where it is noted which recovery copies there are; the bytes lie in the storage."""

    async def put(self, rescue: Rescue) -> None:
        """Note a copy."""
        ...

    async def get(self, tenant_id: TenantId, rescue_id: str) -> Rescue | None:
        """Return one."""
        ...

    async def list_ids(
        self, tenant_id: TenantId, *, after: str, limit: int
    ) -> list[tuple[str, str]]:
        """Return ids with their cursors, newest first."""
        ...
