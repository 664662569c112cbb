"""Behind Sentinels: a failover costs seconds and answers 503 meanwhile, nothing else."""

import asyncio
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from genro_wopi.adapters.redis.client import RedisClient, connect
from genro_wopi.adapters.redis.pools import exchange_for
from genro_wopi.domain.errors import UnavailableError
from tests.support.servers import SERVERS, Sentinels, redis_binary, sentinel_processes
from tests.support.waiting import eventually
from tests.support.world import World

OUTAGE_S_MAX = 10.0
SENTINELS = 3


@pytest.fixture(params=SERVERS)
def sentinels(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Sentinels]:
    with sentinel_processes(redis_binary(request.param), tmp_path) as running:
        yield running


def they_know(url: str) -> bool:
    """Tell whether each Sentinel knows the others, and a replica that has a primary."""
    for host, port in places_of(url):
        with Redis(host=host, port=port) as client:
            node: Any = client
            others = node.sentinel_sentinels("wopi")
            copies = [c["master-link-status"] for c in node.sentinel_slaves("wopi")]
        if len(others) < SENTINELS - 1 or copies != ["ok"]:
            return False
    return True


def places_of(url: str) -> list[tuple[str, int]]:
    places = (place.split(":") for place in url.split("/")[2].split(","))
    return [(host, int(port)) for host, port in places]


async def replicas(redis: RedisClient) -> int:
    return len((await redis.call("ROLE"))[2])


@pytest.mark.check
async def test_locks_and_sessions_go_on_after_a_failover(sentinels: Sentinels) -> None:
    async with connect(sentinels.url) as redis:
        await eventually(lambda: replicas(redis), lambda count: count == 1, timeout_s=30)
        world = World(redis)
        session = await world.session(await world.file())
        await world.locks.lock(world.lock(session, "A"), deadline_s=0)
        await redis.call("WAIT", 1, 5000)
        await eventually(lambda: asyncio.to_thread(they_know, sentinels.url), bool)
        sentinels.servers["primary"].kill()
        began_s = time.monotonic()
        while True:
            try:
                lease = await world.locks.lock(
                    world.lock(session, "A", request_id="again"), deadline_s=0
                )
            except UnavailableError:
                assert time.monotonic() - began_s < OUTAGE_S_MAX * 2
                continue
            break
        outage_s = time.monotonic() - began_s
        assert outage_s < OUTAGE_S_MAX
        assert lease is not None
        await world.locks.unlock(world.lock(session, "A"), deadline_s=0)
        assert await world.locks.state(session.file_id) is None
        assert (await redis.call("ROLE"))[0] == b"master"


@pytest.mark.parametrize(
    "url", ["redis+sentinel://", "redis+sentinel://host:26379", "redis+sentinel:///wopi"]
)
def test_an_address_without_hosts_or_service_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"redis\+sentinel://host"):
        exchange_for(url, socket_timeout_s=1, connect_timeout_s=1)
