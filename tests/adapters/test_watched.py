"""Storages are watched: calls are counted, and one that keeps failing is left alone."""

import asyncio
import time

import pytest
from prometheus_client import REGISTRY

from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.leases import RedisLeases
from genro_wopi.adapters.secrets import AesGcmRing
from genro_wopi.adapters.storage.opener import CachingStorageOpener
from genro_wopi.adapters.storage.surroundings import StorageSurroundings
from genro_wopi.domain.circuit import FAILURES_MAX
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.storages import Storage, StorageFaultError, StorageNode, StorageProtocol
from genro_wopi.runtime.metrics import StorageMetrics
from tests.support import tools
from tests.support.servers import dav_process, free_port


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def stat(node: StorageNode) -> float:
    """Ask once; return how long the fault took."""
    started_s = time.perf_counter()
    with pytest.raises(StorageFaultError):
        await node.stat()
    return time.perf_counter() - started_s


@pytest.mark.check
async def test_a_storage_that_is_away_is_left_alone_and_tried_again_within_a_second(
    redis: RedisClient,
) -> None:
    binary = tools.needed("Apache with mod_dav")
    port = free_port()
    opener = CachingStorageOpener(
        StorageSurroundings(
            local_roots=(),
            ring=AesGcmRing((("k", bytes(32)),)),
            leases=RedisLeases(redis),
            egress=EgressPolicy(("loopback",), setting="WOPI_STORAGE_ALLOW"),
            observer=StorageMetrics(),
        )
    )
    storage = Storage(
        tenant_id=TenantId("t"),
        name="docs",
        protocol=StorageProtocol.WEBDAV,
        config={"url": f"http://127.0.0.1:{port}"},
        sealed={},
        revision=1,
        created_us=0,
        updated_us=0,
    )
    labels = {"protocol": "webdav", "operation": "stat"}
    failures = value("wopi_storage_failures_total", **labels)
    node = (await opener.open(storage)).node(StoragePath("a.txt"))
    for _ in range(FAILURES_MAX):
        await stat(node)
    assert value("wopi_storage_circuits_open", protocol="webdav") == 1
    calls = value("wopi_storage_seconds_count", **labels)
    assert await stat(node) < 0.05
    assert value("wopi_storage_seconds_count", **labels) == calls
    assert value("wopi_storage_failures_total", **labels) == failures + FAILURES_MAX
    with dav_process(binary, port):
        deadline_s = time.monotonic() + 5.0
        while value("wopi_storage_circuits_open", protocol="webdav"):
            assert time.monotonic() < deadline_s
            try:
                await node.stat()
            except StorageFaultError:
                await asyncio.sleep(0.1)
        assert await node.stat() is None
    await opener.aclose()
