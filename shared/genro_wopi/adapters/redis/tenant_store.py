"""Tenants, their keys and storages in Redis; see `genro_wopi.domain.tenants.TenantStore`."""

import time
from typing import Final

import msgspec

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.identifiers import TenantId, TenantName, tenant_name
from genro_wopi.domain.storages import Storage
from genro_wopi.domain.tenants import ApiKey, Tenant

_PUT: Final = Script("put_revision")
_DELETE: Final = Script("delete_tenant")

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
        key, record = keys.tenant(tenant.public_id), msgspec.json.encode(tenant).decode()
        if not await self._redis.run(_PUT, (key,), ("", _expected(was), record)):
            return False
        await self._redis.call("ZADD", keys.TENANTS, 0, tenant.tenant_id)
        return True

    async def get_tenant(self, name: TenantName) -> Tenant | None:
        """See TenantStore."""
        record = await self._redis.call("GET", keys.tenant(name))
        return _tenant.decode(record) if record else None

    async def list_tenants(self, *, after: str, limit: int) -> list[Tenant]:
        """See TenantStore."""
        found: list[Tenant] = []
        start = _behind(after) if after else "-"
        while len(found) < limit:
            most = limit - len(found)
            members = await self._redis.call(
                "ZRANGEBYLEX", keys.TENANTS, start, "+", "LIMIT", 0, most
            )
            for tenant_id in map(text, members):
                tenant = await self.get_tenant(tenant_name(tenant_id))
                if tenant is not None and tenant.tenant_id == tenant_id:
                    found.append(tenant)
            if len(members) < most:
                return found
            start = f"({text(members[-1])}"
        return found

    async def delete_tenant(self, tenant_id: TenantId) -> None:
        """See TenantStore."""
        await self._redis.call("ZADD", keys.DELETED_TENANTS, int(time.time()), tenant_id)
        await self._forget(tenant_id)
        names = (keys.tenant(tenant_name(tenant_id)), keys.outbox(tenant_id))
        await self._redis.run(_DELETE, names, (tenant_id,))
        await self._redis.call("ZREM", keys.TENANTS, tenant_id)

    async def sweep_deleted(self, *, before_us: int) -> int:
        """See TenantStore."""
        until = before_us // 1_000_000
        deleted = await self._redis.call("ZRANGEBYSCORE", keys.DELETED_TENANTS, "-inf", until)
        for tenant_id in map(TenantId, map(text, deleted)):
            await self._forget(tenant_id)
            await self._redis.call("ZREM", keys.DELETED_TENANTS, tenant_id)
        return len(deleted)

    async def _forget(self, tenant_id: TenantId) -> None:
        await self._redis.call("SREM", keys.AUDITED, tenant_id)
        by_name = {keys.tenant(tenant_name(tenant_id)), keys.outbox(tenant_id)}
        for pattern in keys.of_tenant(tenant_id):
            async for names in self._redis.scan(pattern, count=SCAN_COUNT):
                gone = [name for name in names if name not in by_name]
                if gone:
                    await self._redis.pipeline([("DEL", name) for name in gone])

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


def _behind(name: str) -> str:
    """Return where a lexical range of ids goes on behind the tenant of a name."""
    return f"({name}.\xff"


def _expected(revision: int | None) -> str:
    return "" if revision is None else str(revision)
