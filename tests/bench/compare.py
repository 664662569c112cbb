"""This host beside a bare program that does the same work, and beside nginx, in one run."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.bench.driver import Result, measure, request
from tests.bench.nginx import nginx_binary, serving
from tests.bench.tables import Table
from tests.chaos.stage import services
from tests.support.cluster import Cluster
from tests.support.servers import free_port, wait_for_port

SECONDS = 4.0
ROUNDS = 3
SMALL, LARGE = 100 * 1024, 64 * 2**20
SMALL_PATH, LARGE_PATH = "small.bin", "large.bin"


TENANT = BUCKET = "bench"


def configs(base_path: Path, s3_url: str) -> dict[str, dict[str, Any]]:
    """Return the storages that are compared, by protocol."""
    reach = {"bucket": BUCKET, "endpoint_url": s3_url, "path_style": True}
    keys = {"access_key_id": "bench", "secret_access_key": "bench"}
    return {"local": {"base_path": str(base_path)}, "s3": {**reach, **keys}}


def prepare(http: httpx.Client, name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Make a storage with a small and a large file, and a session on each."""
    storage = {"tenant_id": TENANT, "name": name, "protocol": name, "config": config}
    http.post("/api/storages", json=storage).raise_for_status()
    made: dict[str, Any] = {}
    for path, size in ((SMALL_PATH, SMALL), (LARGE_PATH, LARGE)):
        query = {"tenant_id": TENANT, "path": path}
        url = f"/api/storages/{name}/files/content"
        http.put(url, params=query, content=os.urandom(size)).raise_for_status()
        session = {
            "tenant_id": TENANT,
            "storage_name": name,
            "file_path": path,
            "permissions": ["view", "edit"],
            "account": "bench",
            "user": "Anna",
        }
        made[path] = http.post("/api/sessions/create", json=session).json()
    return made


def wopi_process(cluster: Cluster) -> tuple[int, int]:
    """Return pid and port of a wopi-service of the cluster."""
    return next(iter(services(cluster, "wopi_service").items()))


def cases(session: dict[str, Any], large: dict[str, Any]) -> dict[str, tuple[list[bytes], int]]:
    """Return the requests of each case and how many connections send them."""
    small_at = f"/wopi/files/{session['file_id']}"
    large_at = f"/wopi/files/{large['file_id']}"
    token, large_token = session["access_token"], large["access_token"]
    query, large_query = f"?access_token={token}", f"?access_token={large_token}"
    lock = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "L"}
    put = {"X-WOPI-Override": "PUT", "X-WOPI-Lock": "L"}
    locks = [
        request("POST", small_at + query, lock),
        request("POST", small_at + query, {**lock, "X-WOPI-Override": "UNLOCK"}),
    ]
    save = [request("POST", f"{small_at}/contents{query}", put, os.urandom(SMALL))]
    large_save = [request("POST", f"{large_at}/contents{large_query}", put, os.urandom(LARGE))]
    return {
        "CheckFileInfo": ([request("GET", small_at + query, {})], 8),
        "LOCK, UNLOCK": (locks, 1),
        "GetFile 100 KB": ([request("GET", f"{small_at}/contents{query}", {})], 8),
        "GetFile 64 MiB": ([request("GET", f"{large_at}/contents{large_query}", {})], 1),
        "PutFile 100 KB": ([locks[0], *save], 1),
        "PutFile 64 MiB": ([request("POST", large_at + large_query, lock), *large_save], 1),
    }


def start_floor(
    stack: ExitStack,
    cluster: Cluster,
    session: dict[str, Any],
    info: dict[str, Any],
    *,
    path: str,
    root: str = "",
    s3: dict[str, Any] | None = None,
) -> tuple[int, int]:
    """Start the floor on one file, with a session's keys in Redis; return its pid and port.

    Args:
        stack: ends it.
        cluster: whose Redis it uses.
        session: as it was created.
        info: what it answers to CheckFileInfo.
        path: of the file, in the folder or the bucket.
        root: the folder; empty for a bucket.
        s3: how the bucket is reached; None for a folder.
    """
    port = free_port()
    settings = {
        "redis_url": (cluster.data_dir / "redis-url").read_text(),
        "port": port,
        "root": root,
        "s3": s3,
        "path": path,
        "file_id": session["file_id"],
        "session_id": session["session_id"],
        "info": info,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.floor", msgspec.json.encode(settings).decode()]
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    wait_for_port(port)
    return process.pid, port


def median(results: list[Result]) -> Result:
    return sorted(results, key=lambda r: r.rate)[len(results) // 2]


def compare(http: httpx.Client, cluster: Cluster, s3_url: str) -> Iterator[Table]:
    """Measure floor and ours in turn, for each storage; then nginx and ours."""
    for storage, config in configs(cluster.data_dir / "files" / TENANT, s3_url).items():
        sessions = prepare(http, storage, config)
        yield _with_floor(http, cluster, storage, config, sessions)
        if storage == "local":
            yield from _with_nginx(cluster, Path(str(config["base_path"])), sessions)


def _with_floor(
    http: httpx.Client,
    cluster: Cluster,
    storage: str,
    config: dict[str, Any],
    sessions: dict[str, Any],
) -> Table:
    table = Table(
        f"Beside the least that can do it: {storage}",
        "The floor is a bare ASGI program without token, routing, checks or metrics that runs the"
        " same script in Redis and does the same to the storage. One process each, the same driver,"
        f" in turn; medians of {ROUNDS} rounds of {SECONDS:g} s, and how far apart the rounds were.",
        HEAD,
    )
    small, large = sessions[SMALL_PATH], sessions[LARGE_PATH]
    info = http.get(small["wopi_src"], params={"access_token": small["access_token"]}).json()
    ours_at = wopi_process(cluster)
    with ExitStack() as stack:
        root = config.get("base_path", "")
        s3 = s3_settings(config) if storage == "s3" else None
        floors = {
            path: start_floor(stack, cluster, session, info, path=path, root=root, s3=s3)
            for path, session in sessions.items()
        }
        time.sleep(1)
        for name, (requests, connections) in cases(small, large).items():
            path = LARGE_PATH if "64 MiB" in name else SMALL_PATH
            results: dict[str, list[Result]] = {"floor": [], "ours": []}
            for _ in range(ROUNDS):
                for into, (pid, port) in (("floor", floors[path]), ("ours", ours_at)):
                    work = measure(pid, port, requests, seconds=SECONDS, connections=connections)
                    results[into].append(asyncio.run(work))
            table.add(name, *_row(results["floor"], results["ours"]))
    return table


HEAD = (
    "case",
    "floor req/s",
    "ours req/s",
    "ratio",
    "spread",
    "floor CPU s/1,000",
    "ours CPU s/1,000",
    "ours MiB/s",
    "memory MiB",
)


def _row(floor: list[Result], ours: list[Result]) -> tuple[float | str, ...]:
    a, b = median(floor), median(ours)
    rates = [result.rate for result in ours]
    return (
        a.rate,
        b.rate,
        f"{b.rate / a.rate:.2f}",
        f"±{(max(rates) - min(rates)) / 2 / b.rate:.0%}",
        a.cpu_per_1000,
        b.cpu_per_1000,
        b.mib_per_s,
        f"{max(r.rss_growth_bytes for r in ours) / 2**20:+.0f}",
    )


def _with_nginx(cluster: Cluster, root: Path, sessions: dict[str, Any]) -> Iterator[Table]:
    """Measure GetFile beside nginx serving the same folder."""
    binary = nginx_binary()
    if binary is None:
        print("nginx is not installed: not compared with it")
        return
    table = Table(
        "Beside nginx",
        "GetFile beside nginx that sends the same file of the same folder, without any question.",
        HEAD,
    )
    of_nginx = {
        "GetFile 100 KB": (request("GET", f"/{SMALL_PATH}", {}), 8),
        "GetFile 64 MiB": (request("GET", f"/{LARGE_PATH}", {}), 1),
    }
    ours_at = wopi_process(cluster)
    with serving(binary, root) as nginx_at:
        for name, (plain, connections) in of_nginx.items():
            ours, _ = cases(sessions[SMALL_PATH], sessions[LARGE_PATH])[name]
            results: dict[str, list[Result]] = {"nginx": [], "ours": []}
            for _ in range(ROUNDS):
                for who, (pid, port), asked in (
                    ("nginx", nginx_at, [plain]),
                    ("ours", ours_at, ours),
                ):
                    work = measure(pid, port, asked, seconds=SECONDS, connections=connections)
                    results[who].append(asyncio.run(work))
            table.add(name, *_row(results["nginx"], results["ours"]))
    yield table


def s3_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return what the floor's client needs; its secret travels apart."""
    return {
        **config,
        "prefix": "",
        "region": "us-east-1",
        "secret_access_key": None,
        "egress": ["any"],
    }
