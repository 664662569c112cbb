"""Clients that fight for the lock of one file over several wopi-services, and what they were told.

    python -m tests.chaos locks [seconds] [seed] [killed|calm]

Each client asks the replicas in turn at random; most of the time with a lock of its own, sometimes
with that of another one, as misbehaving editors do. Meanwhile replicas are killed and stopped. The
run is good where the history of all answers is linearizable (`history`).
"""

import asyncio
import os
import random
import signal
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.history import NOTHING, Operation, UndecidedError, is_linearizable
from tests.chaos.stage import services
from tests.support.cluster import Cluster, running_cluster

CLIENTS = 64
REPLICAS = 4
TENANT = "locks"
CLIENT_TIMEOUT_S = 30.0
FAULT_PAUSE_S = 3.0
LATE_S = 5.0
"""A request whose answer its client never got has no effect later than this: whoever held it is
dead, and Redis does at once what reaches it."""

FOREIGN = 0.2
"""How often a client shows the lock of another one."""

OVERRIDES = {
    "lock": "LOCK",
    "unlock": "UNLOCK",
    "refresh": "REFRESH_LOCK",
    "relock": "LOCK",
    "get": "GET_LOCK",
}
WANTING = ("lock", "lock", "lock", "lock", "unlock", "refresh", "relock", "get")
HOLDING = ("unlock", "unlock", "unlock", "unlock", "lock", "refresh", "relock", "get")


@dataclass
class LockRun:
    """What was asked and told."""

    history: list[Operation] = field(default_factory=list[Operation])
    faults: int = 0
    wrong: list[str] = field(default_factory=list[str])
    """Answers that are neither done, refused nor 503."""
    is_linearizable: bool = False

    @property
    def unknown(self) -> int:
        return sum(o.is_unknown for o in self.history)

    @property
    def acquired(self) -> int:
        return sum(o.what == "lock" and o.held is None and not o.is_unknown for o in self.history)

    def rows(self) -> list[tuple[float, str]]:
        """Return counts with what they count."""
        return [
            (len(self.history), "lock operations"),
            (self.acquired, "of them locked the file"),
            (self.unknown, "of them without a clear answer"),
            (self.faults, "replicas killed or stopped"),
            (len(self.wrong), f"wrong statuses, or what else went wrong {self.wrong[:3]}"),
            (int(not self.is_linearizable), "histories that no single lock can have given"),
        ]

    @property
    def is_good(self) -> bool:
        return self.is_linearizable and self.acquired > 0 and not self.wrong


async def fight(seconds: float, seed: int, *, clients: int = CLIENTS, kill: bool = True) -> LockRun:
    """Start a cluster and let the clients fight for one lock."""
    run, chance = LockRun(), random.Random(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options = ("--no-demo", "--replicas", str(REPLICAS))
        cluster = await asyncio.to_thread(
            lambda: stack.enter_context(running_cluster(folder, *options))
        )
        sessions = await asyncio.to_thread(_sessions, cluster, clients)
        end = time.monotonic() + seconds
        ports = sorted(services(cluster, "wopi_service").values())
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=clients * REPLICAS)
        async with (
            httpx.AsyncClient(timeout=CLIENT_TIMEOUT_S, limits=limits) as http,
            asyncio.TaskGroup() as tasks,
        ):
            for number, session in enumerate(sessions):
                client = Client(http, run, ports, session, number, random.Random(chance.random()))
                tasks.create_task(client.fight(clients, end))
            if kill:
                tasks.create_task(_break_replicas(cluster, chance, run, end))
    try:
        run.is_linearizable = await asyncio.to_thread(is_linearizable, run.history)
    except UndecidedError as error:
        run.wrong.append(str(error))
    return run


def _sessions(cluster: Cluster, count: int) -> list[Any]:
    with cluster.admin() as admin:
        admin.post("/api/tenants", json={"id": TENANT}).raise_for_status()
        config = {"base_path": str(cluster.data_dir / "files" / TENANT)}
        storage = {"name": "docs", "protocol": "local", "config": config, "tenant_id": TENANT}
        admin.post("/api/storages", json=storage).raise_for_status()
        where = {"tenant_id": TENANT, "path": "a.odt"}
        admin.put("/api/storages/docs/files/content", params=where, content=b"x")
        session = {
            "tenant_id": TENANT,
            "storage_name": "docs",
            "file_path": "a.odt",
            "permissions": ["view", "edit"],
        }
        return [
            admin.post("/api/sessions/create", json={**session, "account": f"user {n}"}).json()
            for n in range(count)
        ]


async def _break_replicas(
    cluster: Cluster, chance: random.Random, run: LockRun, end: float
) -> None:
    """Kill a replica or stop it for a moment, again and again."""
    while time.monotonic() + FAULT_PAUSE_S < end:
        await asyncio.sleep(FAULT_PAUSE_S)
        pids = sorted(services(cluster, "wopi_service"))
        if not pids:
            continue
        pid = chance.choice(pids)
        run.faults += 1
        if chance.random() < 0.5:
            os.kill(pid, signal.SIGKILL)
            continue
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(chance.uniform(0.2, 1.5))
        os.kill(pid, signal.SIGCONT)


@dataclass
class Client:
    """One that wants the lock."""

    http: httpx.AsyncClient
    run: LockRun
    ports: list[int]
    session: Any
    number: int
    chance: random.Random
    holds: bool = False
    """Whether it was told so last."""

    async def fight(self, clients: int, end: float) -> None:
        while time.monotonic() < end:
            await self._ask(self.chance.choice(HOLDING if self.holds else WANTING), clients)
            await asyncio.sleep(self.chance.uniform(0, 0.05))

    async def _ask(self, what: str, clients: int) -> None:
        lock, old = f"L{self.number}", ""
        if self.chance.random() < FOREIGN and not self.holds:
            lock = f"L{self.chance.randrange(clients)}"
        headers = {"X-WOPI-Override": OVERRIDES[what], "X-WOPI-Lock": lock}
        if what == "relock":
            old = f"L{self.chance.choice((self.number, self.chance.randrange(clients)))}"
            headers["X-WOPI-OldLock"] = old
        began_s = time.monotonic()
        answer = await self._send(headers)
        held, is_unknown = self._told(what, answer)
        if what != "get" and not is_unknown and (held is None or self.holds):
            self.holds = held is None and what != "unlock"
        self.run.history.append(
            Operation(
                began_s=began_s,
                ended_s=float("inf") if is_unknown else time.monotonic(),
                what=what,
                lock=lock,
                old=old,
                held=held,
                is_unknown=is_unknown,
                until_s=time.monotonic() + LATE_S,
            )
        )

    async def _send(self, headers: dict[str, str]) -> httpx.Response | None:
        url = f"http://127.0.0.1:{self.chance.choice(self.ports)}"
        try:
            return await self.http.post(
                f"{url}/wopi/files/{self.session['file_id']}",
                params={"access_token": self.session["access_token"]},
                headers=headers,
            )
        except httpx.HTTPError:
            return None

    def _told(self, what: str, answer: httpx.Response | None) -> tuple[str | None, bool]:
        """Return what the answer says holds the file, and whether it leaves open what happened."""
        if answer is None or answer.status_code == 503:
            return None, True
        if answer.status_code not in {200, 409}:
            self.run.wrong.append(f"{answer.status_code} to {what}: {answer.text[:120]}")
            return None, True
        if what == "get" or answer.status_code == 409:
            return answer.headers.get("X-WOPI-Lock", NOTHING), False
        return None, False
