"""Many people edit many documents while processes die, the store fails, locks vanish, clocks step.

    python -m tests.chaos editing [seconds] [seed] [s3|local|failover]

200 people with the habits of Collabora, OnlyOffice and Microsoft 365 edit over four wopi-services
behind nginx; other programs write the same documents; saves arrive a second time, late. What they
were told is kept here (`record`) and looked for when all is quiet.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from redis.asyncio import Redis

from tests.chaos import stage
from tests.chaos.crowd import EditingRun, cast, let_edit, paths_of
from tests.chaos.faults import Trouble
from tests.chaos.people import Habit, Ways
from tests.chaos.proxy import Faults, FaultyProxy, faulty_proxy
from tests.chaos.record import Record, Shelf, judge
from tests.support.cluster import Application, Cluster, running_application, running_cluster
from tests.support.servers import Sentinels, redis_binary, s3_process, sentinel_processes

PEOPLE = 200
REPLICAS = 4
MIX = Faults(cut_upload=0.04, lost_answer=0.04, stall=0.05)
PROBE_PAUSE_S = 0.2
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
ENVIRONMENT = {"WOPI_CALLBACK_RETRY_SECONDS": "1,1,2,2,5,5,5,5,5,5", "WOPI_LOCK_TTL_SECONDS": "20"}


@dataclass
class Scene:
    """Everything that runs."""

    cluster: Cluster
    application: Application
    proxy: FaultyProxy
    ways: Ways
    probe: Ways
    trouble: Trouble
    record: Record = field(default_factory=Record)


async def edit(seconds: float, seed: int, protocol: str, people: int = PEOPLE) -> EditingRun:
    """Let people edit for a while under faults; see the module.

    Args:
        seconds: how long faults are made.
        seed: decides who does what, and which fault comes when.
        protocol: s3, local, or failover: local with Redis behind Sentinels.
        people: how many edit.
    """
    async with scene(protocol, seed) as running:
        groups = cast(people)
        await stage.put_documents(running.ways.api, paths_of(groups))
        await stage.put_documents(running.probe.api, ["probe.bin"])
        faults = _under_faults(running, seconds)
        await let_edit([running.ways], running.record, groups, seed, faults)
        await stage.until_ready(running.ways.api)
        shelf = Shelf(running.ways.api)
        if protocol == "failover":
            running.record.counts["repaired by fsck"] = await shelf.repair()
        verdict = await judge(running.record, [shelf], running.application)
        return EditingRun(running.record, verdict)


@asynccontextmanager
async def scene(protocol: str, seed: int) -> AsyncGenerator[Scene]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        disk = folder / "disk"
        has_disk = stack.enter_context(stage.small_disk(disk))
        for name in ("spool", "files"):
            (disk / name).mkdir()
        environment = {
            **ENVIRONMENT,
            "WOPI_SPOOL_DIR": str(disk / "spool"),
            "WOPI_LOCAL_ROOTS": str(disk / "files"),
        }
        sentinels: Sentinels | None = None
        if protocol == "failover":
            binary = redis_binary()
            sentinels = stack.enter_context(sentinel_processes(binary, folder / "sentinels"))
            environment["WOPI_REDIS_URL"] = sentinels.url
        application = stack.enter_context(running_application())
        s3_url = stack.enter_context(s3_process())
        proxy = await stack.enter_async_context(
            faulty_proxy(int(s3_url.rpartition(":")[2]), random.Random(f"{seed} proxy"))
        )
        options = ("--no-demo", "--replicas", str(REPLICAS - 1))
        cluster = await asyncio.to_thread(
            lambda: stack.enter_context(running_cluster(folder, *options, environment=environment))
        )
        clock = folder / "clock" if FAKETIME.exists() else None
        ports = [*stage.services(cluster, "wopi_service").values()]
        ports.append(
            await asyncio.to_thread(
                lambda: stack.enter_context(
                    stage.replica_beside(cluster, folder / "replica.log", **_moved(clock))
                )
            )
        )
        wopi_url = stack.enter_context(stage.ingress_before(ports, folder / "nginx")).url
        wopi = await stack.enter_async_context(stage.wopi_client(wopi_url))
        stage.put_editors(cluster)
        (await wopi.put(f"{s3_url}/chaos")).raise_for_status()
        config = stage.bucket_config(proxy.port) if protocol == "s3" else _folder(disk, "chaos")
        kind = "s3" if protocol == "s3" else "local"
        keys = [
            await asyncio.to_thread(stage.put_tenant, cluster, application, *tenant)
            for tenant in (("chaos", kind, config), ("probe", "local", _folder(disk, "probe")))
        ]
        apis = [await stack.enter_async_context(stage.api_client(cluster, key)) for key in keys]
        redis: Redis | None = None
        if sentinels is None:
            untyped: Any = Redis
            redis = untyped.from_url((cluster.data_dir / "redis-url").read_text())
            stack.push_async_callback(untyped.aclose, redis)
        trouble = Trouble(
            cluster=cluster,
            application=application,
            chance=random.Random(f"{seed} faults"),
            redis=redis,
            disk=disk if has_disk else None,
            clock=clock,
            sentinels=sentinels,
        )
        ways, probe = (Ways(api, wopi) for api in apis)
        yield Scene(cluster, application, proxy, ways, probe, trouble)


def _folder(disk: Path, name: str) -> dict[str, str]:
    return {"base_path": str(disk / "files" / name)}


def _moved(clock: Path | None) -> dict[str, str]:
    if clock is None:
        return {}
    clock.write_text("+0s\n")
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


async def _under_faults(running: Scene, seconds: float) -> None:
    """Let everything go wrong for a while, and probe all the time."""
    probing = asyncio.create_task(_probe(running))
    running.proxy.faults = MIX
    until = asyncio.get_running_loop().time() + seconds
    await running.trouble.go_on(until, running.record.faults)
    running.proxy.faults = Faults()
    if running.proxy.faulted:
        running.record.faults["faulty connections to the store"] = running.proxy.faulted
    probing.cancel()


async def _probe(running: Scene) -> None:
    """Save one document of another tenant steadily; note the longest time without success."""
    session = {
        "storage_name": stage.STORAGE,
        "file_path": "probe.bin",
        "permissions": ["view", "edit"],
        "account": "probe",
        "editor": Habit.COLLABORA.value,
    }
    made = (await running.probe.api.post("/api/sessions/create", json=session)).json()
    url, query = f"/wopi/files/{made['file_id']}", {"access_token": made["access_token"]}
    lock = {"X-WOPI-Lock": "probe"}
    last = time.monotonic()
    while True:
        locked = await _succeeds(running, url, query, {"X-WOPI-Override": "LOCK", **lock}, b"")
        save = {"X-WOPI-Override": "PUT", **lock}
        body = random.randbytes(10_000)
        saved = locked and await _succeeds(running, f"{url}/contents", query, save, body)
        now = time.monotonic()
        running.record.longest_outage_s = max(running.record.longest_outage_s, now - last)
        if saved:
            last = now
        await asyncio.sleep(PROBE_PAUSE_S)


async def _succeeds(
    running: Scene, url: str, query: dict[str, str], headers: dict[str, str], body: bytes
) -> bool:
    try:
        answer = await running.probe.wopi.post(url, params=query, headers=headers, content=body)
    except httpx.HTTPError:
        return False
    return answer.status_code == 200
