"""A Redis Cluster: commands find their node, also after slots have moved."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.crc import key_slot

from genro_wopi.adapters.redis.client import RedisClient, connect
from genro_wopi.adapters.redis.cluster import key_of, places_of
from genro_wopi.adapters.redis.file_registry import RedisFileRegistry
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.paths import StoragePath
from tests.support.servers import SERVERS, cluster_processes, redis_binary, replicated_cluster
from tests.support.world import TENANT, World

OUTAGE_S_MAX = 20.0
"""On a machine that does everything else, too; alone it is three."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    binary = redis_binary()
    with cluster_processes(binary, tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
async def cluster(url: str) -> AsyncGenerator[RedisClient]:
    async with connect(url) as client:
        await client.call("FLUSHALL")
        yield client


async def test_files_lie_on_every_node_and_are_found_again(cluster: RedisClient, url: str) -> None:
    registry = RedisFileRegistry(cluster, Partitions(cluster, 64))
    records = [await registry.register(TENANT, "docs", StoragePath(f"{n}")) for n in range(60)]
    for record in records:
        assert (await registry.record(record.file_id)) == record
    sizes: list[int] = []
    for host, port in places_of(url):
        with Redis(host=host, port=port) as node:
            untyped: Any = node
            sizes.append(untyped.dbsize())
    assert min(sizes) > 0
    found, cursor = await registry.page(TENANT, cursor="", limit=1000)
    assert {r.file_id for r in found} == {r.file_id for r in records}
    assert cursor == ""


async def test_keys_of_all_nodes_are_scanned(cluster: RedisClient) -> None:
    for number in range(50):
        await cluster.call("SET", f"wopi:{{t:{number}}}:path:x", "1", "PX", 60_000)
    names = [name async for part in cluster.scan("wopi:{t:*}:path:*", count=10) for name in part]
    assert len(set(names)) == 50


async def test_commands_follow_slots_that_have_moved(cluster: RedisClient, url: str) -> None:
    world = World(cluster)
    session = await world.session(await world.file())
    key = f"wopi:{{{session.session_id[:2]}}}:moving"
    await cluster.call("SET", key, "before", "PX", 60_000)
    slot = key_slot(key.encode())
    nodes: list[Any] = [Redis(host=host, port=port) for host, port in places_of(url)]
    ids = [node.execute_command("CLUSTER", "MYID").decode() for node in nodes]
    owner = next(
        number for number, node in enumerate(nodes) if slot in set(owned(node, ids[number]))
    )
    target = (owner + 1) % len(nodes)
    nodes[target].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[owner])
    nodes[owner].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    try:
        moving = nodes[owner].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1000)
        host, port = places_of(url)[target]
        nodes[owner].execute_command("MIGRATE", host, port, "", 0, 5000, "KEYS", *moving)
        assert await cluster.call("GET", key) == b"before", "asked where it goes to"
    finally:
        for node in (nodes[target], nodes[owner], *nodes):  # The target first, or it may forget.
            node.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
        for node in nodes:
            node.close()
    assert await cluster.call("GET", key) == b"before"
    assert await world.locks.lock(world.lock(session, "A"), deadline_s=0)


@pytest.mark.check
@pytest.mark.parametrize("name", SERVERS)
async def test_a_primary_that_dies_is_replaced_within_seconds_and_only_503_is_seen(
    name: str, tmp_path: Path
) -> None:
    with replicated_cluster(redis_binary(name), tmp_path, replicas=1) as nodes:
        async with connect(nodes.url) as redis:
            world = World(redis)
            sessions = [await world.session(await world.file(f"{n}.txt")) for n in range(12)]
            for session in sessions:
                await world.locks.lock(world.lock(session, "A"), deadline_s=0)
            await asyncio.to_thread(wait_until_replicated, nodes.url)
            nodes.processes[owner_of(FileKeys(sessions[0].file_id).lock, nodes.url)].kill()
            began_s = time.monotonic()
            left = list(sessions)
            while left:
                assert time.monotonic() - began_s < OUTAGE_S_MAX
                try:
                    lease = await world.locks.lock(
                        world.lock(left[0], "A", request_id="again"), deadline_s=0
                    )
                except UnavailableError:
                    await asyncio.sleep(0.05)
                    continue
                assert lease is not None
                left.pop(0)
            states = [await world.locks.state(session.file_id) for session in sessions]
            assert all(state is not None and state.lock_id == "A" for state in states)


def wait_until_replicated(url: str) -> None:
    """Wait until the replica of each primary has all that it was told."""
    deadline = time.monotonic() + 20
    for host, port in places_of(url):
        with Redis(host=host, port=port) as client:
            node: Any = client
            while True:
                found = node.info("replication")
                if found.get("slave0", {}).get("offset") == found["master_repl_offset"]:
                    break
                assert time.monotonic() < deadline
                time.sleep(0.05)


def owner_of(key: str, url: str) -> int:
    """Return the port of the primary that holds a key."""
    for host, port in places_of(url):
        with Redis(host=host, port=port) as client:
            node: Any = client
            own_id = node.execute_command("CLUSTER", "MYID").decode()
            if key_slot(key.encode()) in owned(node, own_id):
                return port
    raise AssertionError(f"nobody holds {key}")


def owned(node: Any, own_id: str) -> list[int]:
    """Return the slots of a node."""
    found: list[int] = []
    for first, last, (_host, _port, name, *_), *_ in node.execute_command("CLUSTER", "SLOTS"):
        if name.decode() == own_id:
            found += range(first, last + 1)
    return found


async def test_a_cluster_that_is_away_is_an_outage() -> None:
    async with connect("redis+cluster://127.0.0.1:9,127.0.0.1:10") as away:
        with pytest.raises(UnavailableError):
            await away.call("GET", "x")


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("GET", "a"), "a"),
        (("EVALSHA", "sha", 2, "a", "b", "x"), "a"),
        (("EVAL", "return 1", 0), None),
        (("XREAD", "COUNT", 1, "BLOCK", 5, "STREAMS", "a", "0-0"), "a"),
        (("XGROUP", "CREATE", "a", "g", "0"), "a"),
        (("SCAN", "0", "MATCH", "wopi:{t:acme}:path:*", "COUNT", 10), "{t:acme}"),
        (("PING",), None),
    ],
    ids=str,
)
def test_a_command_finds_its_node_by_its_key(command: tuple[Any, ...], key: str | None) -> None:
    assert key_of(command) == key


@pytest.mark.parametrize("command", [("SCAN", "0", "MATCH", "wopi:*", "COUNT", 10), ("DBSIZE",)])
def test_what_has_no_place_is_refused(command: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        key_of(command)
