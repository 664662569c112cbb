"""Tenants, their keys and storages in Redis; see `genro_wopi.domain.tenants.TenantStore`."""

from typing import Final

import msgspec

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.storages import Storage
from genro_wopi.domain.tenants import ApiKey, Tenant

_PUT: Final = Script("put_revision")

_tenant: Final = msgspec.json.Decoder(Tenant)
_api_key: Final = msgspec.json.Decoder(ApiKey)
_storage: Final = msgspec.json.Decoder(Storage)

SCAN_COUNT: Final = 1000


class RedisTenantStore:
    """Implements `TenantStore`."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def put_tenant(self, tenant: Tenant, *, was: int | None = None) -> bool:
        """See TenantStore."""
        key, record = keys.tenant(tenant.tenant_id), msgspec.json.encode(tenant).decode()
        if not await self._redis.run(_PUT, (key,), ("", _expected(was), record)):
            return False
        await self._redis.call("ZADD", keys.TENANTS, 0, tenant.tenant_id)
        return True

    async def get_tenant(self, tenant_id: TenantId) -> Tenant | None:
        """See TenantStore."""
        record = await self._redis.call("GET", keys.tenant(tenant_id))
        return _tenant.decode(record) if record else None

    async def list_tenants(self, *, after: str, limit: int) -> list[Tenant]:
        """See TenantStore."""
        start = f"({after}" if after else "-"
        ids = await self._redis.call("ZRANGEBYLEX", keys.TENANTS, start, "+", "LIMIT", 0, limit)
        found = [await self.get_tenant(TenantId(text(tenant_id))) for tenant_id in ids]
        return [tenant for tenant in found if tenant is not None]

    async def delete_tenant(self, tenant_id: TenantId) -> None:
        """See TenantStore."""
        for pattern in keys.of_tenant(tenant_id):
            await self._delete(pattern, but=keys.tenant(tenant_id))
        await self._redis.call("DEL", keys.tenant(tenant_id))
        await self._redis.call("ZREM", keys.TENANTS, tenant_id)

    async def _delete(self, pattern: str, *, but: str) -> None:
        position = "0"
        while True:
            reply = await self._redis.call("SCAN", position, "MATCH", pattern, "COUNT", SCAN_COUNT)
            position = text(reply[0])
            names = [name for name in map(text, reply[1]) if name != but]
            if names:
                await self._redis.call("DEL", *names)
            if position == "0":
                return

    async def put_api_key(self, tenant_id: TenantId, key: ApiKey) -> None:
        """See TenantStore."""
        await self._redis.call(
            "HSET", keys.api_keys(tenant_id), key.key_id, msgspec.json.encode(key)
        )

    async def get_api_key(self, tenant_id: TenantId, key_id: str) -> ApiKey | None:
        """See TenantStore."""
        record = await self._redis.call("HGET", keys.api_keys(tenant_id), key_id)
        return _api_key.decode(record) if record else None

    async def list_api_keys(self, tenant_id: TenantId) -> list[ApiKey]:
        """See TenantStore."""
        records = await self._redis.call("HVALS", keys.api_keys(tenant_id))
        return sorted((_api_key.decode(r) for r in records), key=lambda k: k.created_us)

    async def delete_api_key(self, tenant_id: TenantId, key_id: str) -> bool:
        """See TenantStore."""
        return await self._redis.call("HDEL", keys.api_keys(tenant_id), key_id) == 1

    async def put_storage(self, storage: Storage, *, was: int | None = None) -> bool:
        """See TenantStore."""
        key, record = keys.storages(storage.tenant_id), msgspec.json.encode(storage).decode()
        arguments = (storage.name, _expected(was), record)
        return bool(await self._redis.run(_PUT, (key,), arguments))

    async def get_storage(self, tenant_id: TenantId, name: str) -> Storage | None:
        """See TenantStore."""
        record = await self._redis.call("HGET", keys.storages(tenant_id), name)
        return _storage.decode(record) if record else None

    async def list_storages(self, tenant_id: TenantId) -> list[Storage]:
        """See TenantStore."""
        records = await self._redis.call("HVALS", keys.storages(tenant_id))
        return sorted((_storage.decode(r) for r in records), key=lambda s: s.name)

    async def delete_storage(self, tenant_id: TenantId, name: str) -> bool:
        """See TenantStore."""
        return await self._redis.call("HDEL", keys.storages(tenant_id), name) == 1


def _expected(revision: int | None) -> str:
    return "" if revision is None else str(revision)
