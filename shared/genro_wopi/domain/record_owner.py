"""Whose records in a storage count.

A tenant can write any byte of its storage, the host's own folder too. So a record there is input:
it is decoded strictly, bound to its tenant, storage and name, and can do no harm beyond the storage
in which it lies. It is not signed. A signature would say who wrote a record, not that it still
belongs where it lies: a tenant may put an old one of its own in the place of a newer one. And what
must be readable after a loss of Redis must not need a key that may be lost with it.

A tenant that is given the name of a deleted one has another id, and records name the id.
"""

import msgspec

from genro_wopi.domain.identifiers import TenantId, tenant_name


class RecordOwner(msgspec.Struct, frozen=True):
    """The tenant of a storage, as its records name it."""

    tenant_id: TenantId = TenantId("")
    """Empty: whatever tenant a record names, it counts."""
    only_own: bool = False
    """The place was another tenant's before: what that one left does not count."""
    since_us: int = 0
    """When the tenant got the place; only with `only_own`."""

    def owns(self, tenant: str) -> bool:
        """Tell whether a record that names this tenant counts.

        Records of another tenant of the same name count where the place was nobody else's:
        after a loss of Redis the operator registers the tenant anew. Those that name none are older
        than this rule.
        """
        if tenant == self.tenant_id or not self.tenant_id:
            return True
        is_namesake = not tenant or tenant_name(tenant) == tenant_name(self.tenant_id)
        return is_namesake and not self.only_own

    def shows(self, *, has_evidence: bool, has_bad_record: bool, modified_us: int) -> bool:
        """Tell whether kept bytes are the tenant's: by evidence, else by when they were kept."""
        if not self.only_own or has_evidence:
            return True
        return not has_bad_record and modified_us >= self.since_us
