"""Which tenant has which place: folders, buckets and addresses in which storages lie.

No two tenants have places that overlap, live or deleted ones. A claim stays when its storage or its
tenant is removed: the files stay too, with what the host keeps beside them. The operator may give a
place on, and says so.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from genro_wopi.domain.identifiers import TenantId


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a storage lies."""

    name: str
    """Ends with a slash; a place whose name begins with another one's lies in it."""
    is_own: bool
    """The tenant's key may use it: it is no folder of this machine, or the tenant's own one."""


class Claim(msgspec.Struct, frozen=True):
    """A place and whose it is."""

    name: str
    value: str
    """As it is kept: tenant, when it was claimed, us, and '1' where it was another's before."""

    @property
    def tenant_id(self) -> TenantId:
        """Whose it is."""
        return TenantId(self.value.partition(" ")[0])


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a claim."""

    others: list[Claim]
    """Where it was refused: which places of others it would overlap; some of them."""
    was_others: bool = False
    """The place was another tenant's before."""


class PlaceStore(Protocol):
    """Whose which place is."""

    async def claim(
        self, name: str, tenant_id: TenantId, *, taken: Sequence[Claim] = ()
    ) -> Claimed:
        """Claim a place, unless it overlaps with another tenant's. MUST be atomic.

        Args:
            name: of the place.
            tenant_id: who wants it.
            taken: claims of others that this one takes over, if they are still the same.
        """
        ...

    async def owner(self, name: str) -> TenantId | None:
        """Return whose exactly this place is."""
        ...

    async def note(self, name: str, tenant_id: TenantId) -> None:
        """Claim a place for a storage that is registered already, where nobody has it."""
        ...

    async def is_complete(self) -> bool:
        """Tell whether the storages that were registered before there were claims are noted."""
        ...

    async def complete(self) -> None:
        """Remember that they are."""
        ...
