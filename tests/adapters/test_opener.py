"""Storages kept open: each once, none closed under a request, one that hangs alone."""

import asyncio
from pathlib import Path

import pytest

from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.leases import RedisLeases
from genro_wopi.adapters.secrets import AesGcmRing
from genro_wopi.adapters.storage import local, opener
from genro_wopi.adapters.storage.opener import CachingStorageOpener
from genro_wopi.adapters.storage.surroundings import StorageSurroundings
from genro_wopi.domain.errors import InvalidFieldsError
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.storages import Storage, StorageBackend, StorageProtocol


def storage(tenant_id: str, base_path: Path | str, revision: int = 1) -> Storage:
    return Storage(
        tenant_id=TenantId(tenant_id),
        name="docs",
        protocol=StorageProtocol.LOCAL,
        config={"base_path": str(base_path)},
        sealed={},
        revision=revision,
        created_us=0,
        updated_us=0,
    )


@pytest.fixture
def storages(root: Path, redis: RedisClient) -> CachingStorageOpener:
    surroundings = StorageSurroundings(
        local_roots=(root,),
        ring=AesGcmRing((("k", bytes(32)),)),
        leases=RedisLeases(redis),
        egress=EgressPolicy((), setting="WOPI_STORAGE_ALLOW"),
    )
    return CachingStorageOpener(surroundings)


async def test_a_storage_is_opened_once_per_tenant_and_revision(
    storages: CachingStorageOpener, root: Path
) -> None:
    first, again = await asyncio.gather(
        storages.open(storage("a", root / "a")), storages.open(storage("a", root / "a"))
    )
    assert first is again
    assert await storages.open(storage("b", root / "a")) is not first
    assert await storages.open(storage("a", root / "a", revision=2)) is not first
    await storages.aclose()


async def test_a_wrong_configuration_is_refused_and_not_remembered(
    storages: CachingStorageOpener, root: Path
) -> None:
    with pytest.raises(InvalidFieldsError):
        await storages.open(storage("a", "/etc"))
    assert await storages.open(storage("a", root / "a"))
    await storages.aclose()


async def test_what_is_retired_still_serves_the_requests_that_hold_it(
    storages: CachingStorageOpener, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opener, "OPEN_MAX", 1)
    held = await storages.open(storage("a", root / "a"))
    await storages.open(storage("b", root / "b"))
    report = await held.probe()
    assert report.storage_class == "A"
    await storages.aclose()


async def test_a_storage_that_hangs_holds_up_nobody_else(
    storages: CachingStorageOpener, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = local.build

    async def hanging(asked: Storage, surroundings: StorageSurroundings) -> StorageBackend:
        if asked.tenant_id == "slow":
            await asyncio.Event().wait()
        return await build(asked, surroundings)

    monkeypatch.setattr(local, "build", hanging)
    slow = asyncio.create_task(storages.open(storage("slow", root / "slow")))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await storages.open(storage("quick", root / "quick"))
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    await storages.aclose()
