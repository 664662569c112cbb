"""Tenants: whose files, keys, editors and callbacks they are. Everything fails closed."""

from enum import StrEnum
from typing import Final, Protocol

import msgspec

from genro_wopi.domain.callers import Caller, Scope
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.host_urls import HostUrls
from genro_wopi.domain.identifiers import TenantId, TenantName, tenant_name
from genro_wopi.domain.secrets import Sealed
from genro_wopi.domain.storages import Storage

CALLBACK_PATH_DEFAULT: Final = "/wopi/callback"


class WopiMode(StrEnum):
    """Which editors a tenant's sessions get."""

    POOL = "pool"
    """The tenant's own, then those of the instance."""
    OWN = "own"
    """The tenant's own only."""
    DISABLED = "disabled"
    """None: no session can be created."""


class AuthMethod(StrEnum):
    """How callbacks authenticate to the tenant's application."""

    NONE = "none"
    BEARER = "bearer"
    BASIC = "basic"


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant, as configured."""

    tenant_id: TenantId
    name: str
    active: bool
    wopi_mode: WopiMode
    client_base_url: str | None
    client_callback_path: str
    auth_method: AuthMethod
    auth_user: str | None
    auth_secret: Sealed | None
    webhook_secrets: tuple[Sealed, ...]
    """Newest first; two are valid during a rotation."""
    frame_ancestors: tuple[str, ...]
    """Origins that may show the launch page in a frame."""
    revision: int
    created_us: int
    updated_us: int
    host_urls: HostUrls = HostUrls()
    callback_events: tuple[str, ...] = ()
    """Names of the events that are sent; empty for all."""
    client_ca: str = ""
    """Certificates in PEM that callbacks trust besides the machine's."""
    callback_strict: bool = False
    """Only an answer that says ``{"ok": true}`` counts as delivered."""
    callbacks_disabled: bool = False
    """The application answered 410; configuring its callbacks anew ends that."""

    @property
    def callback_url(self) -> str:
        """Where events go; only the path where no address is set."""
        return (self.client_base_url or "").rstrip("/") + self.client_callback_path

    @property
    def public_id(self) -> TenantName:
        """What the API calls the tenant's id."""
        return tenant_name(self.tenant_id)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a tenant's application; the key itself is not kept."""

    key_id: str
    digest: str
    """SHA-256 of the key, hexadecimal."""
    created_us: int
    expires_us: int | None
    note: str | None
    scopes: tuple[Scope, ...] = (Scope.ALL,)
    """What it is for; all for one of a version that had no scopes."""


class TenantFinder(Protocol):
    """Tells which tenant has a name now."""

    async def get_tenant(self, name: TenantName) -> Tenant | None:
        """Return the tenant of a name."""
        ...


async def tenant_of(tenants: TenantFinder, caller: Caller, named: str | None) -> Tenant:
    """Return the tenant that a call is about.

    Raises:
        NotFoundError: there is none that the caller may see.
        InvalidFieldsError: the operator names none.
    """
    tenant = await tenants.get_tenant(caller.named(named))
    if tenant is None or not caller.reaches(tenant.tenant_id, None):
        raise NotFoundError("There is no such tenant.")
    return tenant


async def tenant_id_of(tenants: TenantFinder, caller: Caller, named: str | None) -> TenantId:
    """Return the id of the tenant that a call is about; an application's own needs no look.

    Raises:
        NotFoundError, InvalidFieldsError: as `tenant_of`.
    """
    if caller.tenant_id is not None:
        caller.named(named)
        return caller.tenant_id
    return (await tenant_of(tenants, caller, named)).tenant_id


class TenantStore(TenantFinder, Protocol):
    """Where tenants, their keys and storages are kept."""

    async def put_tenant(self, tenant: Tenant, *, was: int | None = None) -> bool:
        """Create or replace.

        Args:
            tenant: the record.
            was: the revision that must be there; 0 for none, None for any.

        Returns:
            False where another one is there, and nothing was written.
        """
        ...

    async def list_tenants(self, *, after: str, limit: int) -> list[Tenant]:
        """Return tenants in one order.

        Args:
            after: name of the tenant after which the list goes on; empty for its beginning.
            limit: so many at most.
        """
        ...

    async def delete_tenant(self, tenant_id: TenantId) -> None:
        """Remove the tenant with all that is kept under its id, itself last. Safe to repeat."""
        ...

    async def sweep_deleted(self, *, before_us: int) -> int:
        """Remove what came under the ids of deleted tenants after they were deleted.

        Args:
            before_us: only of tenants that were deleted before this; they are not looked at again.

        Returns:
            How many tenants were looked at.
        """
        ...

    async def put_api_key(self, tenant_id: TenantId, key: ApiKey) -> None:
        """Add a key."""
        ...

    async def get_api_key(self, tenant_id: TenantId, key_id: str) -> ApiKey | None:
        """Return one key."""
        ...

    async def list_api_keys(self, tenant_id: TenantId) -> list[ApiKey]:
        """Return a tenant's keys, oldest first."""
        ...

    async def delete_api_key(self, tenant_id: TenantId, key_id: str) -> bool:
        """Remove a key; False where there is none."""
        ...

    async def put_storage(self, storage: Storage, *, was: int | None = None) -> bool:
        """Create or replace; see `put_tenant`."""
        ...

    async def get_storage(self, tenant_id: TenantId, name: str) -> Storage | None:
        """Return one storage."""
        ...

    async def list_storages(self, tenant_id: TenantId) -> list[Storage]:
        """Return a tenant's storages by name."""
        ...

    async def delete_storage(self, tenant_id: TenantId, name: str) -> bool:
        """Remove a storage's configuration, never its files; False where there is none."""
        ...


class Directory(Protocol):
    """Tenants and storages as the document path sees them: briefly cached, failing closed."""

    async def tenant(self, tenant_id: TenantId) -> Tenant:
        """Return an active tenant.

        Raises:
            NotFoundError: it does not exist.
            SuspendedError: it is not active.
        """
        ...

    async def storage(
        self, tenant_id: TenantId, name: str, *, even_suspended: bool = False
    ) -> Storage:
        """Return a storage of an active tenant; of a suspended one where something is kept aside.

        Raises:
            NotFoundError: tenant or storage does not exist or is not active.
        """
        ...
