"""A tenant's id has a random part: a name that is given again meets nothing of the first one."""

import msgspec

from genro_wopi.adapters.directory import CachedDirectory
from genro_wopi.adapters.redis.audit_store import RedisAuditStore
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.domain.audit import Actor, AuditFilter, AuditRecord
from genro_wopi.domain.identifiers import TenantId, TenantName, new_tenant_id, tenant_name
from tests.support.world import TENANT, World, partitions

NEXT = TenantId("acme.0ther")
OLD = TenantId("acme")
"""As a version without random parts registered it."""

NAME = TenantName("acme")


def test_an_id_is_the_name_and_a_random_part() -> None:
    one, other = new_tenant_id(NAME), new_tenant_id(NAME)
    assert one != other
    assert tenant_name(one) == tenant_name(other) == tenant_name(OLD) == NAME


async def test_only_the_tenant_that_has_the_name_now_is_found(each_redis: RedisClient) -> None:
    world, store = World(each_redis), RedisTenantStore(each_redis)
    await world.tenant()
    await store.delete_tenant(TENANT)
    assert await store.get_tenant(NAME) is None
    await world.tenant(NEXT)
    found = await store.get_tenant(NAME)
    assert found is not None
    assert found.tenant_id == NEXT
    assert [t.tenant_id for t in await store.list_tenants(after="", limit=10)] == [NEXT]


async def test_a_second_deletion_of_the_first_one_spares_the_next(each_redis: RedisClient) -> None:
    world, store = World(each_redis), RedisTenantStore(each_redis)
    await world.tenant()
    await store.delete_tenant(TENANT)
    await world.tenant(NEXT)
    await store.delete_tenant(TENANT)
    found = await store.get_tenant(NAME)
    assert found is not None
    assert found.tenant_id == NEXT


async def test_one_that_was_registered_without_a_random_part_is_replaced_too(
    each_redis: RedisClient,
) -> None:
    world, store = World(each_redis), RedisTenantStore(each_redis)
    await world.tenant(OLD)
    assert (await CachedDirectory(store).tenant(OLD)).tenant_id == OLD
    await store.delete_tenant(OLD)
    await world.tenant(NEXT)
    await store.sweep_deleted(before_us=2**62)
    assert await store.get_tenant(NAME) is not None
    assert [t.tenant_id for t in await store.list_tenants(after="", limit=10)] == [NEXT]


async def test_pages_of_tenants_go_on_behind_a_name(each_redis: RedisClient) -> None:
    world, store = World(each_redis), RedisTenantStore(each_redis)
    ids = [TenantId(i) for i in ("acme", "acme-2.aa", "acme0.bb", "b.cc", "b2")]
    for tenant_id in ids:
        await world.tenant(tenant_id)
    seen: list[TenantId] = []
    after = ""
    while page := await store.list_tenants(after=after, limit=2):
        seen += [tenant.tenant_id for tenant in page]
        after = page[-1].public_id
    assert sorted(seen) == sorted(ids)


async def test_what_comes_late_is_swept_away_and_nothing_else(each_redis: RedisClient) -> None:
    world, store = World(each_redis), RedisTenantStore(each_redis)
    audit = RedisAuditStore(each_redis, partitions(each_redis))
    await world.tenant()
    await store.delete_tenant(TENANT)
    await world.tenant(NEXT)
    for tenant_id in (TENANT, NEXT):
        await audit.append(_record(tenant_id))
    assert await store.sweep_deleted(before_us=0) == 0
    assert await store.sweep_deleted(before_us=2**62) == 1
    assert await store.sweep_deleted(before_us=2**62) == 0
    left = [text(key) for key in await each_redis.call("KEYS", f"wopi:{{t:{TENANT}}}:*")]
    assert left == []
    assert await audit.tenants() == [NEXT]
    assert len((await audit.find(NEXT, AuditFilter(), before="", limit=10))[0]) == 1


async def test_a_change_of_the_first_one_does_not_overwrite_the_next(
    each_redis: RedisClient,
) -> None:
    world, store = World(each_redis), RedisTenantStore(each_redis)
    await world.tenant()
    first = await store.get_tenant(NAME)
    assert first is not None
    await store.delete_tenant(TENANT)
    await world.tenant(NEXT)
    changed = msgspec.structs.replace(first, name="Late", revision=first.revision + 1)
    assert not await store.put_tenant(changed, was=first.revision)
    found = await store.get_tenant(NAME)
    assert found is not None
    assert found.tenant_id == NEXT


def _record(tenant_id: TenantId) -> AuditRecord:
    return AuditRecord(at_us=1, tenant_id=tenant_id, action="x", actor=Actor.OPERATOR)
