"""Somebody closes a document while something is away; afterwards it is looked for what was typed.

    python -m tests.chaos outages [seconds] [seed] [replicas|redis|storage]

Each person edits a document and closes it in the middle of the outage, as one editor does:
Collabora gives a document up when CheckFileInfo fails after its save did, OnlyOffice sends its last
save once and then its UNLOCK. What was typed must be the document, or a recovery copy, and an event
must say so.
"""

import asyncio
import hashlib
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.chaos import stage
from tests.support.cluster import Application, Cluster, running_application, running_cluster
from tests.support.gate import Gate, gate_before
from tests.support.servers import s3_process

TENANT = "outages"
SETTLED_S = 60.0
PEOPLE = 6
RESTART_S = 5.0
ANNOUNCED = frozenset({"document_saved", "save_rescued"})


@dataclass
class OutageRun:
    """What became of what was typed."""

    counts: Counter[str] = field(default_factory=Counter[str])

    @property
    def is_good(self) -> bool:
        return not self.counts["LOST"] and not self.counts["not announced"]

    def rows(self) -> list[tuple[float, str]]:
        return [(float(count), name) for name, count in sorted(self.counts.items())]


@dataclass
class Scene:
    """A cluster, and what can be taken away from it."""

    cluster: Cluster
    application: Application
    gate: Gate | None
    api: httpx.AsyncClient

    async def without(self, what: str, seconds: float) -> None:
        """Take something away for a while; killed replicas take some seconds to be back."""
        end = time.monotonic() + max(seconds / 2, seconds - RESTART_S)
        if what == "storage" and self.gate is not None:
            self.gate.shut()
            await asyncio.sleep(seconds)
            self.gate.open()
        elif what == "redis":
            pid = next(p for n, p in self.cluster.pids().items() if "redis" in n or "valkey" in n)
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(seconds)
            os.kill(pid, signal.SIGCONT)
        else:
            while time.monotonic() < end:
                for killed in stage.services(self.cluster, "wopi_service"):
                    with suppress(ProcessLookupError):
                        os.kill(killed, signal.SIGKILL)
                await asyncio.sleep(0.1)


@dataclass
class Person:
    """One person with a document of its own."""

    http: httpx.AsyncClient
    session: dict[str, Any]
    lock: str
    typed: bytes
    ticks: int = 638_995_104_000_000_000

    async def ask(
        self, method: str, suffix: str = "", body: bytes = b"", **headers: str
    ) -> httpx.Response | None:
        """Send one request; None where no answer came."""
        self.ticks += 10_000_000
        headers = {"X-WOPI-TimeStamp": str(self.ticks), **headers}
        path = self.session["wopi_src"].partition("/wopi/")[2]
        try:
            return await self.http.request(
                method,
                f"/wopi/{path}{suffix}",
                params={"access_token": self.session["access_token"]},
                headers={name.replace("_", "-"): value for name, value in headers.items()},
                content=body or None,
            )
        except httpx.TransportError:
            return None

    async def open(self) -> None:
        locked = await self.ask("POST", X_WOPI_Override="LOCK", X_WOPI_Lock=self.lock)
        read = await self.ask("GET", "/contents")
        if not (locked and locked.is_success and read and read.is_success):
            raise RuntimeError("the document cannot be opened")

    async def close(self, kind: str) -> bool:
        """Close as an editor does; tell whether it was told that the text is stored."""
        save = {"X_WOPI_Override": "PUT", "X_WOPI_Lock": self.lock}
        save["X_COOL_WOPI_IsExitSave"] = "true"
        answer = await self.ask("POST", "/contents", self.typed, **save)
        if answer is not None and not answer.is_success and kind == "collabora":
            asked = await self.ask("GET")
            if asked is not None and asked.is_success:
                answer = await self.ask("POST", "/contents", self.typed, **save)
        await self.ask("POST", X_WOPI_Override="UNLOCK", X_WOPI_Lock=self.lock)
        return answer is not None and answer.is_success


async def close_during(
    what: str, seconds: float, seed: int, *, patience_s: int = 25, people: int = PEOPLE
) -> OutageRun:
    """Let people close their documents during an outage.

    Args:
        what: replicas, redis or storage.
        seconds: how long it lasts.
        seed: decides what is typed.
        patience_s: of the services.
        people: of each editor.
    """
    run = OutageRun()
    chance = random.Random(seed)
    async with scene(what, patience_s) as running:
        documents = await asyncio.to_thread(
            stage.open_documents, running.cluster, TENANT, 2 * people, lambda: b"before"
        )
        async with httpx.AsyncClient(base_url=running.cluster.url, timeout=40) as http:
            everybody = [
                (
                    Person(
                        http, session, f"lock-{number}", chance.randbytes(20_000).hex().encode()
                    ),
                    "collabora" if number % 2 else "onlyoffice",
                )
                for number, session in enumerate(documents)
            ]
            for person, _ in everybody:
                await person.open()
            outage = asyncio.create_task(running.without(what, seconds))
            await asyncio.sleep(min(1.0, seconds / 4))
            told = await asyncio.gather(*(p.close(kind) for p, kind in everybody))
            await outage
        for number, ((person, kind), is_told) in enumerate(zip(everybody, told, strict=True)):
            run.counts[f"{kind}: {'stored at once' if is_told else 'answered 503'}"] += 1
            run.counts[await _look(running, f"{number}.bin", person)] += 1
    return run


async def _look(running: Scene, path: str, person: Person) -> str:
    """Wait until a text is found, and announced; say where."""
    end, found = time.monotonic() + SETTLED_S, ""
    while time.monotonic() < end:
        with suppress(httpx.HTTPError):
            found = await _found(running, path, person.typed)
        names = set(running.application.names(person.session["session_id"]))
        if found and names & ANNOUNCED:
            return found
        await asyncio.sleep(0.3)
    return "not announced" if found else "LOST"


async def _found(running: Scene, path: str, typed: bytes) -> str:
    url = f"/api/storages/{stage.STORAGE}/files/content"
    head = await running.api.get(url, params={"path": path})
    if head.content == typed:
        return "texts that are the document"
    listed = (await running.api.get("/api/recovery", params={"limit": 100})).json()
    digest = hashlib.sha256(typed).hexdigest()
    is_kept = any(c["sha256"] == digest and c["file_path"] == path for c in listed["items"])
    return "texts that are a recovery copy" if is_kept else ""


@asynccontextmanager
async def scene(what: str, patience_s: int) -> AsyncGenerator[Scene]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = {
            "WOPI_PATIENCE_SECONDS": str(patience_s),
            "WOPI_CALLBACK_RETRY_SECONDS": "1,1,1,2,2,5,5,5",
        }
        cluster = stack.enter_context(
            running_cluster(folder, "--no-demo", "--replicas", "2", environment=environment)
        )
        application = stack.enter_context(running_application())
        gate, protocol = None, "local"
        config: dict[str, Any] = {"base_path": str(cluster.data_dir / "files" / TENANT)}
        if what == "storage":
            port = int(stack.enter_context(s3_process()).rpartition(":")[2])
            gate = await stack.enter_async_context(gate_before(port))
            protocol, config = "s3", stage.bucket_config(gate.port)
            bucket = {"Authorization": "AWS4-HMAC-SHA256 Credential=chaos/20260101/us-east-1/s3/x"}
            url = f"http://127.0.0.1:{port}/chaos"
            async with httpx.AsyncClient() as http:
                (await http.put(url, headers=bucket)).raise_for_status()
        key = await asyncio.to_thread(
            stage.put_tenant, cluster, application, TENANT, protocol, config
        )
        api = await stack.enter_async_context(stage.api_client(cluster, key))
        yield Scene(cluster, application, gate, api)
