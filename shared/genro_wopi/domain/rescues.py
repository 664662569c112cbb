"""Recovery copies: saves that were received whole and refused. They are kept, never thrown away."""

from typing import Final, Protocol

import msgspec

from genro_wopi.domain.identifiers import FileId, TenantId
from genro_wopi.domain.paths import RESERVED_SEGMENT, StoragePath


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


RECOVERY: Final = StoragePath(f"{RESERVED_SEGMENT}/recovery")
"""The folder of a storage in which its recovery copies lie."""


def rescued_path(rescue_id: str) -> StoragePath:
    """Name the place of a recovery copy, or of the note beside it."""
    return StoragePath(f"{RECOVERY}/{rescue_id}")


def rescue_note(rescue_id: str) -> str:
    """Name the note that lies beside a copy, so that it is found again without Redis."""
    return f"{rescue_id}.json"


SESSION_COPIES_MAX: Final = 10
SESSION_BYTES_MAX: Final = 256 * 1024 * 1024
TENANT_COPIES_MAX: Final = 1_000
TENANT_BYTES_MAX: Final = 10 * 1024**3
"""What is kept at most of saves that were refused for their session's sake. Of one session the
newest takes the place of the oldest; a tenant that has so much keeps no more, until copies end."""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """Room for one more copy."""

    is_full: bool = False
    """The tenant keeps as much as it may; nothing was noted."""
    known_id: str = ""
    """The same session's copy of the same bytes; empty for none."""
    replaced_ids: tuple[str, ...] = ()
    """Older copies of the session that give way."""


class RescueStore(Protocol):
    """Where it is noted which recovery copies there are; the bytes lie in the storage."""

    async def make_room(self, rescue: Rescue) -> Room:
        """Note a copy that counts against its session and tenant. MUST be atomic; may run twice."""
        ...

    async def put(self, rescue: Rescue) -> None:
        """Note a copy."""
        ...

    async def forget(self, rescue: Rescue) -> None:
        """Remove the note of a copy whose bytes are gone."""
        ...

    async def older(self, tenant_id: TenantId, *, before_us: int, limit: int) -> list[Rescue]:
        """Return a tenant's copies from before a moment, the oldest first."""
        ...

    async def get(self, tenant_id: TenantId, rescue_id: str) -> Rescue | None:
        """Return one."""
        ...

    async def list_ids(
        self, tenant_id: TenantId, *, after: str, limit: int
    ) -> list[tuple[str, str]]:
        """Return ids with their cursors, newest first."""
        ...
