"""All measurements, and what they showed as a page of the documentation."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.bench import pages
from tests.bench.compare import BUCKET, TENANT, compare, start_floor, wopi_process
from tests.bench.costs import measure_costs
from tests.bench.events import compare_events
from tests.bench.growth import measure_growth, measure_tables
from tests.bench.large import measure_memory
from tests.bench.latency import measure_latency
from tests.bench.machine import machine_line
from tests.bench.plots import plot
from tests.bench.profile import measure_calls, measure_shares
from tests.bench.scaling import measure_replicas, measure_start
from tests.bench.tables import Table
from tests.chaos.stage import open_documents, services
from tests.support.cluster import Cluster, running_cluster
from tests.support.servers import s3_process

PAGE = Path("docs/performance.md")
DOCUMENTS, SIZE = 16, 100 * 1024

_HEAD = """# Performance, measured

Made by `make bench`; `make bench ARGS="latency growth"` measures some of it again. Redis, storage,
services and the driver share the processors, so figures are to be compared within one table; a ratio
is worth more than a rate.
"""


@dataclass
class Bench:
    """What measurements run on: a cluster, started when it is first asked for."""

    stack: ExitStack
    folder: Path

    def cluster(self, *, replicas: int = 1) -> Cluster:
        own = self.folder / f"cluster-{replicas}-{len(list(self.folder.iterdir()))}"
        own.mkdir()
        options = ("--no-demo", "--replicas", str(replicas), "--log-format", "json")
        return self.stack.enter_context(running_cluster(own, *options))


def _compare(bench: Bench) -> Iterator[Table]:
    s3_url = bench.stack.enter_context(s3_process())
    httpx.put(f"{s3_url}/{BUCKET}").raise_for_status()
    cluster = bench.cluster()
    with cluster.admin() as http:
        http.post("/api/tenants", json={"id": TENANT}).raise_for_status()
        yield from compare(http, cluster, s3_url)


def _latency(bench: Bench) -> Iterator[Table]:
    cluster = bench.cluster()
    pid, port = wopi_process(cluster)
    sessions = _locked(cluster, port, DOCUMENTS)
    others = [other for other in cluster.pids().values() if other != pid]
    floor = _floor(bench, cluster, port, sessions[0])
    yield measure_latency((pid, port), floor, sessions, others)


def _floor(bench: Bench, cluster: Cluster, port: int, session: dict[str, Any]) -> tuple[int, int]:
    """Start the floor on a file like that of a session; return its pid and port."""
    root, path = bench.folder / "floor", "floor.bin"
    root.mkdir()
    (root / path).write_bytes(os.urandom(SIZE))
    url = f"http://127.0.0.1:{port}/wopi/files/{session['file_id']}"
    info = httpx.get(url, params={"access_token": session["access_token"]}).json()
    return start_floor(bench.stack, cluster, session, info, path=path, root=str(root))


def _costs(bench: Bench) -> Iterator[Table]:
    cluster = bench.cluster()
    _, port = wopi_process(cluster)
    url = (cluster.data_dir / "redis-url").read_text()
    worker = min(services(cluster, "callback_worker"))
    yield asyncio.run(measure_costs(url, port, worker, _locked(cluster, port, 1)[0]))


def _growth(_bench: Bench) -> Iterator[Table]:
    yield asyncio.run(measure_growth())
    yield asyncio.run(measure_tables())


def _replicas(bench: Bench) -> Iterator[Table]:
    cluster = bench.cluster(replicas=4)
    _, port = wopi_process(cluster)
    yield measure_replicas(cluster, _locked(cluster, port, DOCUMENTS))


def _start(bench: Bench) -> Iterator[Table]:
    yield measure_start(bench.cluster())


def _memory(bench: Bench) -> Iterator[Table]:
    cluster = bench.cluster()
    pid, port = wopi_process(cluster)
    yield measure_memory(pid, port, _locked(cluster, port, 1)[0])


def _events(_bench: Bench) -> Iterator[Table]:
    yield asyncio.run(compare_events())


def _profile(bench: Bench) -> Iterator[Table]:
    cluster = bench.cluster()
    pid, port = wopi_process(cluster)
    sessions = _locked(cluster, port, DOCUMENTS)
    yield measure_shares(pid, port, sessions, bench.folder)
    yield measure_calls(pid, port, sessions, bench.folder)


PARTS: dict[str, Callable[[Bench], Iterator[Table]]] = {
    "compare": _compare,
    "latency": _latency,
    "costs": _costs,
    "growth": _growth,
    "replicas": _replicas,
    "start": _start,
    "memory": _memory,
    "events": _events,
    "profile": _profile,
}


def report(names: Sequence[str]) -> None:
    """Measure, and put each table into the page in the place of what was measured before."""
    sections = pages.sections(PAGE)
    for name in names:
        print(f"{name}:", flush=True)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for table in PARTS[name](Bench(stack, folder)):
                picture = plot(table, PAGE.parent)
                sections[table.title] = table.markdown(machine_line(), picture)
                pages.write(PAGE, _HEAD, sections)
    print(f"written: {PAGE}")


def _locked(cluster: Cluster, port: int, count: int) -> list[dict[str, Any]]:
    """Make documents of 100 KB in a folder, with a session on each that holds its lock."""
    with cluster.admin() as admin:
        admin.post("/api/tenants", json={"id": TENANT}).raise_for_status()
        config = {"base_path": str(cluster.data_dir / "files" / TENANT)}
        storage = {"name": "docs", "protocol": "local", "config": config, "tenant_id": TENANT}
        admin.post("/api/storages", json=storage).raise_for_status()
    sessions = open_documents(cluster, TENANT, count, lambda: os.urandom(SIZE))
    for session in sessions:
        url = f"http://127.0.0.1:{port}/wopi/files/{session['file_id']}"
        lock = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "L"}
        query = {"access_token": session["access_token"]}
        httpx.post(url, params=query, headers=lock).raise_for_status()
    return sessions
