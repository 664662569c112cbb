"""Runs the comparison and prints its table."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.bench.driver import Result, measure, request
from tests.bench.events import compare_events
from tests.bench.large import measure_large, measure_slow
from tests.bench.nginx import nginx_binary, serving
from tests.support.cluster import Cluster, running_cluster
from tests.support.servers import free_port, s3_process, wait_for_port

SECONDS = 4.0
ROUNDS = 3
SMALL, LARGE = 100 * 1024, 64 * 2**20
SMALL_PATH, LARGE_PATH = "small.bin", "large.bin"


BUCKET = "bench"


def configs(base_path: Path, s3_url: str) -> dict[str, dict[str, Any]]:
    """Return the storages that are compared, by protocol."""
    reach = {"bucket": BUCKET, "endpoint_url": s3_url, "path_style": True}
    keys = {"access_key_id": "bench", "secret_access_key": "bench"}
    return {"local": {"base_path": str(base_path)}, "s3": {**reach, **keys}}


def prepare(http: httpx.Client, name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Make a storage with a small and a large file, and a session on each."""
    storage = {"tenant_id": "bench", "name": name, "protocol": name, "config": config}
    http.post("/api/storages", json=storage).raise_for_status()
    made: dict[str, Any] = {}
    for path, size in ((SMALL_PATH, SMALL), (LARGE_PATH, LARGE)):
        query = {"tenant_id": "bench", "path": path}
        url = f"/api/storages/{name}/files/content"
        http.put(url, params=query, content=os.urandom(size)).raise_for_status()
        session = {
            "tenant_id": "bench",
            "storage_name": name,
            "file_path": path,
            "permissions": ["view", "edit"],
            "account": "bench",
            "user": "Anna",
        }
        made[path] = http.post("/api/sessions/create", json=session).json()
    return made


def wopi_process() -> tuple[int, int]:
    """Return pid and port of the cluster's wopi-service."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"genro_wopi.wopi_service" in command:
                port = next(v for v in variables if v.startswith(b"WOPI_PORT="))
                return int(entry.name), int(port.partition(b"=")[2])
    raise RuntimeError("no wopi-service is running")


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


def start_floor(stack: ExitStack, settings: dict[str, Any]) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.floor", msgspec.json.encode(settings).decode()]
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    wait_for_port(settings["port"])
    return process.pid


def median(results: list[Result]) -> Result:
    return sorted(results, key=lambda r: r.rate)[len(results) // 2]


def compare(http: httpx.Client, cluster: Cluster, storage: str, config: dict[str, Any]) -> None:
    """Print one storage's rows: floor and ours in turn, the medians of some rounds."""
    sessions = prepare(http, storage, config)
    small, large = sessions[SMALL_PATH], sessions[LARGE_PATH]
    info = http.get(small["wopi_src"], params={"access_token": small["access_token"]}).json()
    ours_at = wopi_process()
    with ExitStack() as stack:
        floors: dict[str, tuple[int, int]] = {}
        for path, session in sessions.items():
            port = free_port()
            settings: dict[str, Any] = {
                "redis_url": (cluster.data_dir / "redis-url").read_text(),
                "port": port,
                "root": config.get("base_path", ""),
                "s3": s3_settings(config) if storage == "s3" else None,
                "path": path,
                "file_id": session["file_id"],
                "session_id": session["session_id"],
                "info": info,
            }
            floors[path] = (start_floor(stack, settings), port)
        time.sleep(1)
        for name, (requests, connections) in cases(small, large).items():
            path = LARGE_PATH if "64 MiB" in name else SMALL_PATH
            results: dict[str, list[Result]] = {"floor": [], "ours": []}
            for _ in range(ROUNDS):
                for into, (pid, port) in (("floor", floors[path]), ("ours", ours_at)):
                    work = measure(pid, port, requests, seconds=SECONDS, connections=connections)
                    results[into].append(asyncio.run(work))
            a, b = median(results["floor"]), median(results["ours"])
            print(
                f"| {storage} | {name} | {a.rate:.0f} | {b.rate:.0f} | {b.rate / a.rate:.2f} "
                f"| {a.cpu_per_1000:.2f} | {b.cpu_per_1000:.2f} | {b.mib_per_s:.0f} "
                f"| {max(r.rss_growth_bytes for r in results['ours']) / 2**20:+.0f} MiB |",
                flush=True,
            )
    if storage == "local":
        compare_with_nginx(Path(str(config["base_path"])), small, large)


def compare_with_nginx(root: Path, session: dict[str, Any], large: dict[str, Any]) -> None:
    """Print GetFile beside nginx serving the same folder."""
    binary = nginx_binary()
    if binary is None:
        print("nginx is not installed: not compared with it")
        return
    of_nginx = {
        "GetFile 100 KB": (request("GET", f"/{SMALL_PATH}", {}), 8),
        "GetFile 64 MiB": (request("GET", f"/{LARGE_PATH}", {}), 1),
    }
    ours_at = wopi_process()
    with serving(binary, root) as nginx_at:
        for name, (plain, connections) in of_nginx.items():
            ours, _ = cases(session, large)[name]
            results: dict[str, list[Result]] = {"nginx": [], "ours": []}
            for _ in range(ROUNDS):
                for who, (pid, port), asked in (
                    ("nginx", nginx_at, [plain]),
                    ("ours", ours_at, ours),
                ):
                    work = measure(pid, port, asked, seconds=SECONDS, connections=connections)
                    results[who].append(asyncio.run(work))
            a, b = median(results["nginx"]), median(results["ours"])
            print(
                f"| local, nginx as floor | {name} | {a.rate:.0f} | {b.rate:.0f} "
                f"| {b.rate / a.rate:.2f} | {a.cpu_per_1000:.2f} | {b.cpu_per_1000:.2f} "
                f"| {b.mib_per_s:.0f} | |",
                flush=True,
            )


def s3_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return what the floor's client needs; its secret travels apart."""
    return {**config, "prefix": "", "region": "us-east-1", "secret_access_key": None}


def main() -> None:
    if sys.argv[1:] == ["events"]:
        asyncio.run(compare_events())
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        s3_url = stack.enter_context(s3_process())
        httpx.put(f"{s3_url}/{BUCKET}").raise_for_status()
        cluster = stack.enter_context(running_cluster(folder, "--no-demo", "--replicas", "1"))
        http = stack.enter_context(cluster.admin())
        http.post("/api/tenants", json={"id": "bench"}).raise_for_status()
        print(
            "| storage | case | floor req/s | ours req/s | ratio | floor CPU s/1000 | ours CPU "
            "| ours MiB/s | RSS |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for storage, config in configs(cluster.data_dir / "files" / "bench", s3_url).items():
            if not sys.argv[1:] or storage in sys.argv[1:]:
                compare(http, cluster, storage, config)
            if "large" in sys.argv[1:]:
                print(f"{storage}:")
                large = prepare(http, storage, config)[LARGE_PATH]
                asyncio.run(measure_large(*wopi_process(), large))
                asyncio.run(measure_slow(*wopi_process(), large))


if __name__ == "__main__":
    main()
