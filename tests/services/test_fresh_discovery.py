"""Every tenant's editors are fetched again and again, whatever those of another tenant do."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.domain.editors import ADDRESSES_MAX, Editor
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.session_service.operations import fresh_discovery
from genro_wopi.session_service.operations.fresh_discovery import (
    FETCHED_AT_ONCE,
    keep_discovery_fresh,
)
from tests.scripts.test_editor_store import editor
from tests.services.test_isolation import running
from tests.support.waiting import eventually
from tests.support.world import World


class Editors:
    """Everybody has one; those of slow tenants, which may have more, never answer."""

    def __init__(self, slow: dict[str, int] | None = None) -> None:
        self._slow = slow or {}
        self.fetched = Counter[str]()
        self.at_once: Counter[str] = Counter()

    async def candidates(self, scopes: tuple[str, ...]) -> list[Editor]:
        (scope,) = scopes
        return [editor("one", further=self._slow.get(scope, 1) - 1, scope=scope)]

    async def refetch(self, address: Editor) -> None:
        self.at_once[address.scope] += 1
        if address.scope in self._slow:
            await asyncio.Event().wait()
        self.at_once[address.scope] -= 1
        self.fetched[address.scope] += 1

    async def seen(self) -> Counter[str]:
        return self.fetched


def unreported(_what: str, error: BaseException) -> None:
    raise AssertionError(error)


async def tenants(redis: RedisClient, count: int) -> tuple[RedisTenantStore, list[TenantId]]:
    store, world = RedisTenantStore(redis), World(redis)
    names = [TenantId(f"t{number}.{number:08x}") for number in range(count)]
    for name in names:
        await world.tenant(name)
    return store, names


async def test_those_of_all_tenants_are_fetched(redis: RedisClient) -> None:
    store, names = await tenants(redis, 1100)
    editors: Any = Editors()
    async with running(keep_discovery_fresh(editors, store, unreported)):
        await eventually(editors.seen, lambda fetched: len(fetched) == len(names) + 1)
    assert set(editors.fetched.values()) == {1}


@pytest.mark.parametrize(
    ("slow", "addresses"),
    [(1, ADDRESSES_MAX), (FETCHED_AT_ONCE - 1, 2)],
    ids=["one with many addresses", "many with few"],
)
async def test_slow_addresses_age_nobody_elses_discovery(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch, slow: int, addresses: int
) -> None:
    monkeypatch.setattr(fresh_discovery, "INTERVAL_S", 0.01)
    store, names = await tenants(redis, 30)
    editors: Any = Editors(dict.fromkeys(names[:slow], addresses))
    async with running(keep_discovery_fresh(editors, store, unreported)):
        others = {*names[slow:], ""}
        await eventually(editors.seen, lambda fetched: all(fetched[name] >= 3 for name in others))
        assert all(editors.at_once[name] == 1 for name in names[:slow])


async def test_a_tenants_pool_is_fetched_whole(redis: RedisClient) -> None:
    store, names = await tenants(redis, 3)
    fetched: list[str] = []

    class Pools(Editors):
        async def candidates(self, scopes: tuple[str, ...]) -> list[Editor]:
            return [editor("one", further=ADDRESSES_MAX - 1, scope=scopes[0])]

        async def refetch(self, address: Editor) -> None:
            fetched.append(f"{address.scope} {address.url}")
            await super().refetch(msgspec.structs.replace(address))

    editors: Any = Pools()
    async with running(keep_discovery_fresh(editors, store, unreported)):
        wanted = ADDRESSES_MAX * (len(names) + 1)
        await eventually(editors.seen, lambda seen: seen.total() == wanted)
    assert len(set(fetched)) == wanted
