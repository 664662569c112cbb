"""Who calls the management API, which tenant's records that caller reaches, and for what."""

from enum import StrEnum

import msgspec

from genro_wopi.domain.errors import FieldError, ForbiddenError, InvalidFieldsError, NotFoundError
from genro_wopi.domain.identifiers import TenantId, TenantName, tenant_name


class Scope(StrEnum):
    """What an API key is for; each operation needs one of them."""

    SESSIONS = "sessions"
    """Sessions, and the locks that their editors hold."""
    FILES_READ = "files:read"
    FILES_WRITE = "files:write"
    STORAGES = "storages"
    """Storages, and which file has which id."""
    EDITORS = "editors"
    AUDIT_READ = "audit:read"
    """The audit trail, and events."""
    ALL = "all"
    """Everything that a tenant's key may do; what has no scope of its own needs it."""


class Caller(msgspec.Struct, frozen=True):
    """The operator (no tenant) or one tenant's application."""

    tenant_id: TenantId | None
    scopes: tuple[Scope, ...] = (Scope.ALL,)
    """Of the key that was shown."""

    @property
    def is_admin(self) -> bool:
        """Whether it is the operator."""
        return self.tenant_id is None

    def named(self, named: str | None) -> TenantName:
        """Return the name of the tenant whose records the call is about.

        Args:
            named: ``tenant_id`` of the request; the operator must give it.

        Raises:
            NotFoundError: a tenant's application names another tenant.
            InvalidFieldsError: the operator names none.
        """
        if self.tenant_id is not None:
            own = tenant_name(self.tenant_id)
            if named not in (None, own):
                raise NotFoundError("There is no such tenant.")
            return own
        if not named:
            raise InvalidFieldsError((FieldError("tenant_id", "name the tenant"),))
        return TenantName(named)

    def reaches(self, owner: TenantId, named: str | None) -> bool:
        """Tell whether a record of a tenant is one that the call can be about.

        Args:
            owner: whose the record is.
            named: ``tenant_id`` of the request; None where it names none.
        """
        return named in (None, tenant_name(owner)) and self.tenant_id in (None, owner)

    def require_scope(self, scope: Scope) -> None:
        """Refuse a key that is for other things.

        Raises:
            ForbiddenError: it has not this scope.
        """
        if not self.is_admin and not {scope, Scope.ALL} & set(self.scopes):
            has = ", ".join(self.scopes) or "none"
            raise ForbiddenError(
                f"This API key has not the scope {scope.value!r} (it has: {has}); use one that has."
            )

    def require_admin(self) -> None:
        """Refuse a tenant's application.

        Raises:
            ForbiddenError: only the operator may do this.
        """
        if not self.is_admin:
            raise ForbiddenError("Only the operator (admin token) may do this.")
