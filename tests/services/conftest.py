"""One wopi-service in this process over a real Redis and a folder, and a session on a file."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from genro_wopi.adapters.redis.client import RedisClient
from tests.support.in_process import Wopi, wopi_in_process
from tests.support.outage_scene import Scene, staged


@pytest.fixture
async def wopi(redis: RedisClient, redis_url: str, tmp_path: Path) -> AsyncGenerator[Wopi]:
    async with AsyncExitStack() as stack:
        yield await wopi_in_process(stack, redis, redis_url, tmp_path)


@pytest.fixture
async def scene(redis: RedisClient, redis_url: str, tmp_path: Path) -> AsyncGenerator[Scene]:
    async with staged(redis, redis_url, tmp_path) as running:
        yield running
