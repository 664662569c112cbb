"""Configuration as the document path sees it: read from Redis, kept for two seconds.

Without the cache every WOPI request would cost a second round trip. When Redis is away, what was
read last is used for up to a minute; a tenant that was suspended stops within two seconds.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from genro_wopi.domain.errors import NotFoundError, SuspendedError, UnavailableError
from genro_wopi.domain.identifiers import TenantId, tenant_name
from genro_wopi.domain.storages import Storage
from genro_wopi.domain.tenants import Tenant, TenantStore

FRESH_S: Final = 2.0
STALE_S: Final = 60.0
ENTRIES_MAX: Final = 4096

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BriefCache(Generic[K, V]):
    """Keeps what a loader returned for a moment; longer only while the loader fails."""

    def __init__(self, load: Callable[[K], Awaitable[V]], *, fresh_s: float = FRESH_S) -> None:
        self._load = load
        self._fresh_s = fresh_s
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    async def get(self, key: K) -> V:
        """Return the value of a key, from the cache or the loader."""
        now_s = time.monotonic()
        entry = self._entries.get(key)
        if entry is not None and now_s - entry[0] < self._fresh_s:
            return entry[1]
        try:
            value = await self._load(key)
        except UnavailableError:
            if entry is not None and now_s - entry[0] < STALE_S:
                return entry[1]
            raise
        self._entries[key] = (time.monotonic(), value)
        if len(self._entries) > ENTRIES_MAX:
            self._entries.popitem(last=False)
        return value

    def forget(self, key: K) -> None:
        """Load the key anew at the next call."""
        self._entries.pop(key, None)


class CachedDirectory:
    """Implements `Directory`."""

    def __init__(self, store: TenantStore, *, fresh_s: float = FRESH_S) -> None:
        self._store = store
        self._tenants = BriefCache(self._load_tenant, fresh_s=fresh_s)
        self._storages = BriefCache(self._load_storage, fresh_s=fresh_s)

    async def tenant(self, tenant_id: TenantId) -> Tenant:
        """See Directory."""
        tenant = await self._tenants.get(tenant_id)
        if tenant is None:
            raise NotFoundError("The tenant does not exist.")
        if not tenant.active:
            raise SuspendedError("The tenant is not active.")
        return tenant

    async def storage(
        self, tenant_id: TenantId, name: str, *, even_suspended: bool = False
    ) -> Storage:
        """See Directory."""
        if not even_suspended:
            await self.tenant(tenant_id)
        storage = await self._storages.get((tenant_id, name))
        if storage is None:
            raise NotFoundError(f"The tenant has no storage named {name!r}.")
        return storage

    async def _load_tenant(self, tenant_id: TenantId) -> Tenant | None:
        tenant = await self._store.get_tenant(tenant_name(tenant_id))
        return tenant if tenant is not None and tenant.tenant_id == tenant_id else None

    async def _load_storage(self, key: tuple[TenantId, str]) -> Storage | None:
        return await self._store.get_storage(*key)
