"""Who calls the management API, and which tenant's records that caller reaches."""

import msgspec

from genro_wopi.domain.errors import FieldError, ForbiddenError, InvalidFieldsError, NotFoundError
from genro_wopi.domain.identifiers import TenantId


class Caller(msgspec.Struct, frozen=True):
    """The operator (no tenant) or one tenant's application."""

    tenant_id: TenantId | None

    @property
    def is_admin(self) -> bool:
        """Whether it is the operator."""
        return self.tenant_id is None

    def tenant(self, named: str | None) -> TenantId:
        """Return the tenant whose records the call is about.

        Args:
            named: ``tenant_id`` of the request; the operator must give it.

        Raises:
            NotFoundError: a tenant's application names another tenant.
            InvalidFieldsError: the operator names none.
        """
        if self.tenant_id is not None:
            if named not in (None, self.tenant_id):
                raise NotFoundError("There is no such tenant.")
            return self.tenant_id
        if not named:
            raise InvalidFieldsError((FieldError("tenant_id", "name the tenant"),))
        return TenantId(named)

    def require_admin(self) -> None:
        """Refuse a tenant's application.

        Raises:
            ForbiddenError: only the operator may do this.
        """
        if not self.is_admin:
            raise ForbiddenError("Only the operator (admin token) may do this.")
