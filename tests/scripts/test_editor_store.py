"""Editors of a tenant: so many, with so many addresses, and nothing left of those that are gone."""

import asyncio
from typing import Any

import msgspec
import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.editor_store import RedisEditorStore
from genro_wopi.domain.editors import (
    ADDRESSES_MAX,
    EDITORS_MAX,
    Editor,
    EditorState,
    StatePut,
)
from genro_wopi.domain.errors import InvalidFieldsError
from genro_wopi.protocol.discovery import Discovery
from tests.support.world import TENANT, an_editor

STATE = EditorState(
    discovery=Discovery(actions=(), proof_keys=None), fetched_us=1, seen_keys=(), had_keys=False
)


@pytest.fixture
def store(each_redis: RedisClient) -> RedisEditorStore:
    return RedisEditorStore(each_redis)


def editor(name: str, *, further: int = 0, scope: str = TENANT) -> Editor:
    others = tuple(f"https://{name}-{n}.test" for n in range(further))
    return an_editor(f"https://{name}.test", name=name, scope=scope, addresses=others)


async def test_of_many_at_once_a_tenant_gets_as_many_as_it_may(store: RedisEditorStore) -> None:
    puts = (store.put_editor(editor(f"e{n}"), was=0) for n in range(2 * EDITORS_MAX))
    results: list[Any] = await asyncio.gather(*puts, return_exceptions=True)
    refused = [r for r in results if isinstance(r, InvalidFieldsError)]
    assert (results.count(True), len(refused)) == (EDITORS_MAX, EDITORS_MAX)
    assert {r.errors[0].field for r in refused} == {"name"}
    (known, *_) = await store.list_editors(TENANT)
    assert await store.put_editor(msgspec.structs.replace(known, priority=7), was=1)
    assert await store.put_editor(editor("theirs", scope="other.5eed0456"), was=0)
    assert await store.put_editor(editor("operators", further=2 * ADDRESSES_MAX, scope=""), was=0)


@pytest.mark.parametrize("editors", [1, 4])
async def test_the_addresses_of_all_editors_count(store: RedisEditorStore, editors: int) -> None:
    each = ADDRESSES_MAX // editors
    for number in range(editors):
        assert await store.put_editor(editor(f"e{number}", further=each - 1))
    for more in (editor("one-more"), editor("e0", further=each)):
        with pytest.raises(InvalidFieldsError) as refused:
            await store.put_editor(more)
        assert refused.value.errors[0].field == "addresses"
        assert str(ADDRESSES_MAX) in str(refused.value)
    assert await store.put_editor(editor("e0", further=each - 1))
    assert await store.put_editor(editor("e0", further=each - 2))
    assert await store.put_editor(editor("one-more"))


async def test_of_addresses_that_are_gone_nothing_is_kept(store: RedisEditorStore) -> None:
    pool = editor("one", further=3)
    await store.put_editor(pool)
    for address in pool.pool:
        assert await store.put_state(address, STATE, was=None) is StatePut.WRITTEN
    await store.put_editor(editor("one"))
    for address in pool.pool[1:]:
        assert await store.get_state(TENANT, address.state_name) is None
        assert await store.put_state(address, STATE, was=None) is StatePut.REMOVED
        assert await store.get_state(TENANT, address.state_name) is None
    assert await store.get_state(TENANT, "one") == STATE
    await store.delete_editor(TENANT, "one")
    assert await store.put_state(pool, STATE, was=None) is StatePut.REMOVED
    assert await store.get_state(TENANT, "one") is None
