"""Who did what to which document: management commands, and what editors did.

Commands are noted by the gateway when they end, what editors do by the events that tell of it. A
record holds only fields that are named here, none of which is a secret.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from genro_wopi.domain.identifiers import TenantId


class Actor(StrEnum):
    """On whose behalf something was done."""

    OPERATOR = "operator"
    APPLICATION = "application"
    EDITOR = "editor"


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was done, or refused."""

    audit_id: str = ""
    """Given when it is kept; rises with time."""
    at_us: int
    tenant_id: TenantId
    """Empty for what belongs to no tenant."""
    action: str
    """Name of the operation or the event."""
    actor: Actor
    status: int = 200
    """As the API answered; 200 for what editors did."""
    reason: str = ""
    """Why it was refused."""
    account: str = ""
    user: str = ""
    session_id: str = ""
    storage_name: str = ""
    file_path: str = ""
    file_id: str = ""
    details: dict[str, str] = {}


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which records; None and empty mean all."""

    action: str | None = None
    account: str | None = None
    user: str | None = None
    session_id: str | None = None
    file_path: str | None = None
    since_us: int = 0
    until_us: int | None = None

    def takes(self, record: AuditRecord) -> bool:
        """Tell whether a record is one of them; times are the store's matter."""
        wanted = (
            (self.action, record.action),
            (self.account, record.account),
            (self.user, record.user),
            (self.session_id, record.session_id),
            (self.file_path, record.file_path),
        )
        return all(asked is None or asked == found for asked, found in wanted)


class AuditStore(Protocol):
    """Where records are kept, by tenant."""

    async def append(self, record: AuditRecord) -> None:
        """Keep a record of the management API."""
        ...

    async def find(
        self, tenant_id: TenantId, wanted: AuditFilter, *, before: str, limit: int
    ) -> tuple[list[AuditRecord], str]:
        """Return some records, the newest first, and where to go on; empty at the end."""
        ...

    async def get(self, tenant_id: TenantId, audit_id: str) -> AuditRecord | None:
        """Return one record."""
        ...

    async def purge(self, tenant_id: TenantId, *, before_us: int) -> int:
        """Remove records older than a moment; return how many."""
        ...

    async def keep_events(self) -> int:
        """Keep what events told since the last call, each once, however many workers do it.

        Returns:
            How many were looked at.
        """
        ...

    async def tenants(self) -> Sequence[TenantId]:
        """Return the tenants that have records."""
        ...
