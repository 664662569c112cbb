"""A rolling update while people edit: every service is replaced, no save fails, no event is lost.

    python -m tests.chaos rolling [clients]

Clients save through nginx while one process after the other is told to stop, as an update does it,
and started again. A wopi-service is forgotten by nginx before it is told, as the chart's preStop
waits for, and known again when it is ready.
"""

import asyncio
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.stage import Ingress, ingress_before, open_documents, put_tenant, services
from tests.support.cluster import Application, Cluster, running_application, running_cluster

REPLACED = ("wopi_service", "wopi_service", "gateway", "session_service", "callback_worker")
BACK_S = 30.0
BETWEEN_S = 2.0
FORGOTTEN_S = 1.0
"""From the reload of nginx until its old worker sends nothing any more."""

ANNOUNCED_S = 60.0
TENANT = "rolling"


@dataclass
class Outcome:
    """What the clients were told."""

    saves: int = 0
    versions: set[str] = field(default_factory=set[str])
    failed: Counter[str] = field(default_factory=Counter[str])
    unheard: set[str] = field(default_factory=set[str])
    replaced: list[str] = field(default_factory=list[str])

    def rows(self) -> list[tuple[float, str]]:
        """Return counts with what they count."""
        return [
            (self.saves, f"saves while {', '.join(self.replaced)} were replaced"),
            (self.failed.total(), f"requests that failed {dict(self.failed)}"),
            (len(self.unheard), "saves without an event"),
        ]

    @property
    def is_good(self) -> bool:
        return self.saves > 0 and not self.failed and not self.unheard


@asynccontextmanager
async def stage(clients: int) -> AsyncGenerator[tuple[Cluster, Application, Ingress, list[Any]]]:
    """Start cluster, application and nginx, with a session for each client."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        application = stack.enter_context(running_application())
        cluster = await asyncio.to_thread(
            lambda: stack.enter_context(running_cluster(folder, "--no-demo", "--replicas", "2"))
        )
        ports = services(cluster, "wopi_service").values()
        ingress = stack.enter_context(ingress_before(ports, folder / "nginx"))
        sessions = await asyncio.to_thread(prepared, cluster, application, clients)
        yield cluster, application, ingress, sessions


def prepared(cluster: Cluster, application: Application, clients: int) -> list[dict[str, Any]]:
    config = {"base_path": str(cluster.data_dir / "files" / TENANT)}
    put_tenant(cluster, application, TENANT, "local", config)
    return open_documents(cluster, TENANT, clients, lambda: b"x")


async def edit(
    http: httpx.AsyncClient, session: Any, outcome: Outcome, stop: asyncio.Event, seed: int
) -> None:
    """Lock, save and look, again and again."""
    chance = random.Random(seed)
    path, query = f"/wopi/files/{session['file_id']}", {"access_token": session["access_token"]}
    lock = {"X-WOPI-Lock": f"lock-{seed}"}

    async def ask(what: str, method: str, suffix: str, override: str, body: bytes = b"") -> None:
        headers = {"X-WOPI-Override": override, **lock} if override else {}
        try:
            answer = await http.request(
                method, path + suffix, params=query, headers=headers, content=body or None
            )
        except httpx.HTTPError as error:
            outcome.failed[f"{what}: {type(error).__name__}"] += 1
            return
        if answer.status_code != 200:
            outcome.failed[f"{what}: {answer.status_code}"] += 1
        elif what == "PutFile":
            outcome.saves += 1
            outcome.versions.add(answer.headers["X-WOPI-ItemVersion"])

    while not stop.is_set():
        await ask("LOCK", "POST", "", "LOCK")
        for _ in range(2):
            await ask("PutFile", "POST", "/contents", "PUT", chance.randbytes(20_000))
            await asyncio.sleep(chance.uniform(0.2, 0.6))
        await ask("CheckFileInfo", "GET", "", "")
        await ask("UNLOCK", "POST", "", "UNLOCK")


async def replace_all(cluster: Cluster, ingress: Ingress, outcome: Outcome) -> None:
    """Tell one process after the other to stop, and wait until it is back and ready."""
    done: set[int] = set()
    for name in REPLACED:
        pid, port = next((p, o) for p, o in services(cluster, name).items() if p not in done)
        known = set(services(cluster, "wopi_service").values())
        if name == "wopi_service":
            await asyncio.to_thread(ingress.reload, known - {port})
            await asyncio.sleep(FORGOTTEN_S)
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + BACK_S
        while pid in services(cluster, name) or not await is_back(cluster, name, port):
            if time.monotonic() > end:
                raise RuntimeError(f"{name} did not come back")
            await asyncio.sleep(0.1)
        if name == "wopi_service":
            await asyncio.to_thread(ingress.reload, known)
        done |= (
            set(services(cluster, name))
            if name != "wopi_service"
            else {p for p, own in services(cluster, name).items() if own == port}
        )
        outcome.replaced.append(name)
        await asyncio.sleep(BETWEEN_S)


async def is_back(cluster: Cluster, name: str, port: int) -> bool:
    if not any(own == port for own in services(cluster, name).values()):
        return False
    if name == "callback_worker":
        return True
    try:
        async with httpx.AsyncClient(timeout=2) as http:
            answer = await http.get(f"http://127.0.0.1:{port}/health/ready")
    except httpx.HTTPError:
        return False
    return answer.status_code == 200


async def roll(clients: int, seed: int = 1) -> Outcome:
    outcome, stop = Outcome(), asyncio.Event()
    async with stage(clients) as (cluster, application, ingress, sessions):
        # A reload of nginx ends idle connections: a race of its clients, not of this host.
        limits = httpx.Limits(max_connections=clients, max_keepalive_connections=0)
        async with (
            httpx.AsyncClient(base_url=ingress.url, timeout=30, limits=limits) as http,
            asyncio.TaskGroup() as tasks,
        ):
            for number, session in enumerate(sessions):
                tasks.create_task(edit(http, session, outcome, stop, seed * 10_000 + number))
            await asyncio.sleep(BETWEEN_S)
            await replace_all(cluster, ingress, outcome)
            stop.set()
        end = time.monotonic() + ANNOUNCED_S
        while time.monotonic() < end:
            heard = {str(e.get("version")) for e in application.events}
            outcome.unheard = outcome.versions - heard
            if not outcome.unheard:
                break
            await asyncio.sleep(0.5)
    return outcome
