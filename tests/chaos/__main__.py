"""Edits documents while processes die, the store stalls and locks vanish; then looks for losses.

    python -m tests.chaos [seconds] [seed] [s3|local]
    python -m tests.chaos events [count] [seed]
    python -m tests.chaos rolling [clients]

The exit code is 1 where an acknowledged update is in no version, a refused save in no recovery
copy, or an editor got a status that makes it throw its session away.
"""

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.chaos import events, rolling
from tests.chaos.editor import CLIENT_TIMEOUT_S, Editor, Record
from tests.chaos.proxy import Faults, FaultyProxy, faulty_proxy
from tests.support.cluster import Application, Cluster, running_application, running_cluster
from tests.support.servers import s3_process

DOCUMENTS = 12
NOT_FOUND = 404
EDITORS_PER_DOCUMENT = 2
REPLICAS = 3
FAULT_PAUSE_S = 2.5
RECOVERY_S = 60.0
ANNOUNCED_S = 75.0
"""A lost publication is found after half a minute; the claim of a killed worker lapses sooner."""

MIX = Faults(cut_upload=0.04, lost_answer=0.04, stall=0.05)
KILLED = ("wopi_service", "wopi_service", "wopi_service", "gateway", "session", "callback", "redis")
CONTENT = "/api/storages/docs/files/content"


class Chaos:
    """One run."""

    def __init__(self, seconds: float, seed: int, protocol: str) -> None:
        self.seconds, self.protocol = seconds, protocol
        self.chance = random.Random(seed)
        self.record = Record()
        self.faults: dict[str, int] = {}

    async def run(self) -> bool:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            application = stack.enter_context(running_application())
            s3_url = stack.enter_context(s3_process())
            proxy = await stack.enter_async_context(
                faulty_proxy(int(s3_url.rpartition(":")[2]), self.chance)
            )
            cluster = await asyncio.to_thread(self._start_cluster, stack, folder)
            http = await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=cluster.url, timeout=CLIENT_TIMEOUT_S, limits=httpx.Limits()
                )
            )
            await self._prepare(http, cluster, application, s3_url, proxy)
            await self._edit_under_faults(http, cluster, proxy)
            return await self._judge(http, application)

    def _start_cluster(self, stack: AsyncExitStack, folder: Path) -> Cluster:
        options = ("--no-demo", "--replicas", str(REPLICAS))
        environment = {
            "WOPI_CALLBACK_RETRY_SECONDS": "1,1,2,2,5,5",
            "WOPI_LOCK_TTL_SECONDS": "20",
        }
        return stack.enter_context(running_cluster(folder, *options, environment=environment))

    async def _prepare(
        self,
        http: httpx.AsyncClient,
        cluster: Cluster,
        application: Application,
        s3_url: str,
        proxy: FaultyProxy,
    ) -> None:
        with cluster.admin() as admin:
            tenant = {"id": "chaos", "client_base_url": application.url}
            key = admin.post("/api/tenants", json=tenant).json()["api_key"]
            secret = admin.post("/api/tenants/chaos/webhook-secret").json()
            application.secrets["chaos"] = secret["webhook_secret"]
            config: dict[str, Any] = {"base_path": str(cluster.data_dir / "files" / "chaos")}
            if self.protocol == "s3":
                (await http.put(f"{s3_url}/chaos")).raise_for_status()
                config = {
                    "bucket": "chaos",
                    "endpoint_url": f"http://127.0.0.1:{proxy.port}",
                    "path_style": True,
                    "access_key_id": "chaos",
                    "secret_access_key": "chaos",
                }
            storage = {"name": "docs", "protocol": self.protocol, "config": config}
            body = {"tenant_id": "chaos", **storage}
            made = await asyncio.to_thread(lambda: admin.post("/api/storages", json=body))
            made.raise_for_status()
            editor = {
                "name": "chaos",
                "kind": "collabora",
                "url": "http://127.0.0.1:9",
                "proof": "off",
            }
            admin.post("/api/editors", json=editor).raise_for_status()
        http.headers["Authorization"] = f"Bearer {key}"
        for path in self._paths():
            content = json.dumps({"updates": []}).encode()
            (await http.put(CONTENT, params={"path": path}, content=content)).raise_for_status()

    def _paths(self) -> list[str]:
        return [f"document-{n}.odt" for n in range(DOCUMENTS)]

    async def _edit_under_faults(
        self, http: httpx.AsyncClient, cluster: Cluster, proxy: FaultyProxy
    ) -> None:
        stop = asyncio.Event()
        url = (cluster.data_dir / "redis-url").read_text()
        redis = Redis.from_url(url)  # pyright: ignore[reportUnknownMemberType] - untyped library
        async with asyncio.TaskGroup() as tasks:
            for path in self._paths():
                for _ in range(EDITORS_PER_DOCUMENT):
                    chance = random.Random(self.chance.random())
                    tasks.create_task(Editor(http, self.record, path, chance, stop).run())
                tasks.create_task(self._write_outside(http, path, stop))
            proxy.faults = MIX
            end = time.monotonic() + self.seconds
            possible: list[Callable[[], Awaitable[str]]] = [
                lambda: self._kill(cluster),
                lambda: self._kill(cluster),
                lambda: self._freeze(cluster),
                lambda: self._lose_locks(redis),
            ]
            while time.monotonic() < end:
                await asyncio.sleep(FAULT_PAUSE_S)
                name = await self.chance.choice(possible)()
                self.faults[name] = self.faults.get(name, 0) + 1
            proxy.faults = Faults()
            stop.set()
        self.faults["faulty connections to the store"] = proxy.faulted
        await redis.aclose()
        await self._until_ready(http)

    async def _write_outside(self, http: httpx.AsyncClient, path: str, stop: asyncio.Event) -> None:
        """Change a document past its editors, as another program would, and never blindly."""
        number = 0
        while not stop.is_set():
            await asyncio.sleep(self.chance.uniform(2, 8))
            try:
                now = await http.get(CONTENT, params={"path": path})
                if now.status_code != 200:
                    continue
                document = json.loads(now.content)
                update = f"outside-{path}-{number}"
                updates = {*document["updates"], update}
                content = json.dumps({"updates": sorted(updates)}).encode()
                headers = {"If-Match": now.headers["ETag"]}
                put = await http.put(
                    CONTENT, params={"path": path}, content=content, headers=headers
                )
            except httpx.HTTPError:
                continue
            number += 1
            if put.status_code == 200:
                self.record.acknowledge(path, updates, str(put.json()["version"]))
                self.record.counts["outside writes"] += 1

    async def _kill(self, cluster: Cluster) -> str:
        name = self.chance.choice(KILLED)
        pids = [pid for found, pid in cluster.pids().items() if name in found]
        if pids:
            os.kill(self.chance.choice(pids), signal.SIGKILL)
        return f"kill -9 {name}"

    async def _freeze(self, cluster: Cluster) -> str:
        pids = [pid for found, pid in cluster.pids().items() if "wopi_service" in found]
        if not pids:
            return "nothing to stop"
        pid = self.chance.choice(pids)
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(self.chance.uniform(0.5, 3.0))
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return "stopped, then gone"
        return "SIGSTOP wopi_service"

    async def _lose_locks(self, redis: Redis) -> str:
        """Do what an unlucky failover does."""
        try:
            found = await _keys(redis, "wopi:*:lock:*")
            lost = [key for key in found if self.chance.random() < 0.5]
            if lost:
                await redis.delete(*lost)
        except (OSError, RedisError):
            return "no Redis to lose locks in"
        return "locks lost"

    async def _until_ready(self, http: httpx.AsyncClient) -> None:
        end = time.monotonic() + RECOVERY_S
        while True:
            try:
                if (await http.get("/health/ready")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if time.monotonic() > end:
                raise RuntimeError("the cluster did not recover")
            await asyncio.sleep(0.2)

    async def _judge(self, http: httpx.AsyncClient, application: Application) -> bool:
        lost: list[str] = []
        only_kept = 0
        for path, updates in self.record.acknowledged.items():
            head = await self._updates(http, CONTENT, path=path)
            missing = set(updates) - head
            if missing:
                kept = await self._kept(http, path)
                lost += [f"{path}: {u}" for u in missing - kept]
                only_kept += len(missing & kept)
        rescued = await self._rescued(http)
        thrown = [
            f"{path}: {update}"
            for path, updates in self.record.refused.items()
            for update in updates
            if update not in rescued and update not in self.record.acknowledged.get(path, {})
        ]
        unheard = await self._unheard(application)
        total = sum(len(u) for u in self.record.acknowledged.values())
        for name, count in sorted({**self.record.counts, **self.faults}.items()):
            print(f"{count:8d}  {name}")
        print(f"{total:8d}  updates acknowledged")
        print(f"{only_kept:8d}  of them only in an older version (the person chose to overwrite)")
        print(f"{len(lost):8d}  of them LOST {lost[:5]}")
        print(f"{len(thrown):8d}  refused updates without a recovery copy {thrown[:5]}")
        print(f"{len(unheard):8d}  acknowledged saves without an event {sorted(unheard)[:5]}")
        print(f"{len(self.record.violations):8d}  wrong statuses {self.record.violations[:5]}")
        return not (lost or thrown or unheard or self.record.violations)

    async def _updates(self, http: httpx.AsyncClient, url: str, **query: str) -> set[str]:
        answer = await http.get(url, params=query)
        if "version" in query and answer.status_code == NOT_FOUND:
            return set()  # It was merged into a newer version of the same bytes, which is read too.
        answer.raise_for_status()
        return set(json.loads(answer.content)["updates"])

    async def _kept(self, http: httpx.AsyncClient, path: str) -> set[str]:
        url = "/api/storages/docs/files/versions"
        answer = await http.get(url, params={"path": path, "limit": 1000})
        found: set[str] = set()
        for version in answer.json()["items"]:
            found |= await self._updates(http, CONTENT, path=path, version=version["version"])
        return found

    async def _rescued(self, http: httpx.AsyncClient) -> set[str]:
        found: set[str] = set()
        cursor = ""
        while True:
            query = {"limit": "1000", "cursor": cursor}
            page = (await http.get("/api/recovery", params=query)).json()
            for item in page["items"]:
                found |= await self._updates(http, f"/api/recovery/{item['recovery_id']}/content")
            if not page["next_cursor"]:
                return found
            cursor = page["next_cursor"]

    async def _unheard(self, application: Application) -> set[str]:
        """Return versions that were not announced, after all that may still be under way."""
        end = time.monotonic() + ANNOUNCED_S
        while True:
            heard = {str(e.get("version")) for e in application.events}
            unheard = self.record.versions - heard
            if not unheard or time.monotonic() > end:
                return unheard
            await asyncio.sleep(1)


async def _keys(redis: Redis, pattern: str) -> list[bytes]:
    untyped: Any = redis
    return [key async for key in untyped.scan_iter(pattern)]


def main() -> int:
    words = sys.argv[1:]
    if words[:1] == ["events"]:
        count = int(words[1]) if len(words) > 1 else 10_000
        seed = int(words[2]) if len(words) > 2 else random.SystemRandom().randrange(10**6)
        print(f"{count} events, seed {seed}", flush=True)
        return 0 if asyncio.run(events.run(count, seed)) else 1
    if words[:1] == ["rolling"]:
        outcome = asyncio.run(rolling.roll(int(words[1]) if len(words) > 1 else 200))
        print(f"{outcome.saves:8d}  saves while {', '.join(outcome.replaced)} were replaced")
        print(f"{outcome.failed.total():8d}  requests that failed {dict(outcome.failed)}")
        print(f"{len(outcome.unheard):8d}  saves without an event")
        return 0 if outcome.is_good else 1
    seconds = float(words[0]) if words else 60.0
    seed = int(words[1]) if len(words) > 1 else random.SystemRandom().randrange(10**6)
    protocol = words[2] if len(words) > 2 else "s3"
    print(f"{seconds:g} s on {protocol}, seed {seed}", flush=True)
    return 0 if asyncio.run(Chaos(seconds, seed, protocol).run()) else 1


if __name__ == "__main__":
    sys.exit(main())
