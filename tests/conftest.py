"""Real infrastructure: Redis or Valkey, an S3 server, the cluster."""

import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, connect, text
from tests.support.ceph import ceph_process, has_ceph
from tests.support.servers import (
    REDIS_IMAGE,
    S3_IMAGE,
    apache_binary,
    can_run,
    cluster_processes,
    dav_process,
    redis_binaries,
    redis_container,
    redis_process,
    s3_container,
    s3_process,
)

settings.register_profile("default", deadline=None, max_examples=40)
settings.register_profile("breaks", deadline=None, max_examples=40, phases=(Phase.generate,))
settings.register_profile("fuzz", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("WOPI_TEST_PROFILE", "default"))


LOADS_THE_MACHINE = frozenset({"chaos", "breaks"})
"""Folders whose tests run one after the other, also where several processes share the tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Share tests between processes by file (`-n 2 --dist loadgroup`); the longest begin first."""
    for item in items:
        folder = item.path.parent.name
        group = "busy" if folder in LOADS_THE_MACHINE else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.path.parent.name not in LOADS_THE_MACHINE)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    if can_run(REDIS_IMAGE):
        with redis_container() as url:
            yield url
        return
    binary = next(iter(redis_binaries().values()))
    with redis_process(binary, tmp_path_factory.mktemp("redis")) as url:
        yield url


CLUSTER = "a cluster"


@pytest.fixture(scope="session", params=[*sorted(redis_binaries()), CLUSTER])
def each_redis_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[str]:
    if request.param == CLUSTER:
        binary = next(iter(redis_binaries().values()))
        with cluster_processes(binary, tmp_path_factory.mktemp("cluster-of-redis")) as url:
            yield url
        return
    binary = redis_binaries()[request.param]
    with redis_process(binary, tmp_path_factory.mktemp(request.param)) as url:
        yield url


@pytest.fixture
async def redis(redis_url: str) -> AsyncGenerator[RedisClient]:
    async with clean_redis(redis_url) as client:
        yield client


@pytest.fixture
async def each_redis(each_redis_url: str) -> AsyncGenerator[RedisClient]:
    async with clean_redis(each_redis_url) as client:
        yield client


class clean_redis:  # noqa: N801 - used as a context manager
    """A client on an empty Redis; what is left afterwards must expire or be listed as permanent."""

    def __init__(self, url: str) -> None:
        self._context = connect(url)

    async def __aenter__(self) -> RedisClient:
        self._client = await self._context.__aenter__()
        await self._client.call("FLUSHALL")
        return self._client

    async def __aexit__(self, *exception: object) -> None:
        immortal = [
            name
            for name in map(text, await self._client.call("KEYS", "*"))
            if await self._client.call("PTTL", name) == -1 and not keys.PERMANENT.fullmatch(name)
        ]
        await self._context.__aexit__(None, None, None)
        assert not immortal, f"keys that never expire: {immortal}"


@pytest.fixture(scope="session")
def s3_url() -> Generator[str]:
    with s3_container() if can_run(S3_IMAGE) else s3_process() as url:
        yield url


@pytest.fixture(scope="session")
def ceph_url() -> Generator[str]:
    if not has_ceph():
        message = "no Ceph with radosgw: the store that ignores conditions is not tested"
        if os.environ.get("WOPI_TEST_CEPH") == "required":
            pytest.fail(message)
        pytest.skip(message)
    with ceph_process() as url:
        yield url


@pytest.fixture(scope="session")
def dav_url() -> Generator[str]:
    binary = apache_binary()
    if binary is None:
        message = "no Apache with mod_dav: the WebDAV back end is not tested"
        if os.environ.get("WOPI_TEST_WEBDAV") == "required":
            pytest.fail(message)
        pytest.skip(message)
    with dav_process(binary) as url:
        yield url


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder
