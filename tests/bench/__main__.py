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
from tests.support.cluster import ADMIN_TOKEN, running_cluster
from tests.support.servers import free_port, wait_for_port

SECONDS = 4.0
ROUNDS = 3
SMALL, LARGE = 100 * 1024, 64 * 2**20


def prepare(http: httpx.Client, base_path: Path) -> dict[str, Any]:
    """Make a tenant with a small and a large file, and a session on each."""
    http.post("/api/tenants", json={"id": "bench"}).raise_for_status()
    storage = {"name": "docs", "protocol": "local", "config": {"base_path": str(base_path)}}
    http.post("/api/storages", json={"tenant_id": "bench", **storage}).raise_for_status()
    made: dict[str, Any] = {}
    for name, size in (("small.bin", SMALL), ("large.bin", LARGE)):
        query = {"tenant_id": "bench", "path": name}
        url = "/api/storages/docs/files/content"
        http.put(url, params=query, content=os.urandom(size)).raise_for_status()
        session = {
            "tenant_id": "bench",
            "storage_name": "docs",
            "file_path": name,
            "permissions": ["view", "edit"],
            "account": "bench",
            "user": "Anna",
        }
        made[name] = http.post("/api/sessions/create", json=session).json()
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


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(running_cluster(folder, "--no-demo", "--replicas", "1"))
        http = stack.enter_context(cluster.admin())
        base_path = cluster.data_dir / "files" / "bench"
        sessions = prepare(http, base_path)
        small, large = sessions["small.bin"], sessions["large.bin"]
        info = http.get(small["wopi_src"], params={"access_token": small["access_token"]}).json()
        pid, port = wopi_process()
        keys = (cluster.data_dir / "redis-url").read_text()
        floors: dict[str, tuple[int, int]] = {}
        for session, path in ((small, "small.bin"), (large, "large.bin")):
            floor_port = free_port()
            settings: dict[str, Any] = {
                "redis_url": keys,
                "port": floor_port,
                "partitions": 16,
                "root": str(base_path),
                "path": path,
                "file_id": session["file_id"],
                "session_id": session["session_id"],
                "info": info,
            }
            floors[path] = (start_floor(stack, settings), floor_port)
        time.sleep(1)
        print(
            "| case | floor req/s | ours req/s | ratio | floor CPU s/1000 | ours | ours MiB/s | RSS |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for name, (requests, connections) in cases(small, large).items():
            path = "large.bin" if "64 MiB" in name else "small.bin"
            ours: list[Result] = []
            floor: list[Result] = []
            for _ in range(ROUNDS):
                for into, (target_pid, target_port) in ((floor, floors[path]), (ours, (pid, port))):
                    work = measure(
                        target_pid, target_port, requests, seconds=SECONDS, connections=connections
                    )
                    into.append(asyncio.run(work))
            a, b = median(floor), median(ours)
            print(
                f"| {name} | {a.rate:.0f} | {b.rate:.0f} | {b.rate / a.rate:.2f} "
                f"| {a.cpu_per_1000:.2f} | {b.cpu_per_1000:.2f} | {b.mib_per_s:.0f} "
                f"| {max(r.rss_growth_bytes for r in ours) / 2**20:+.0f} MiB |",
                flush=True,
            )


if __name__ == "__main__":
    assert ADMIN_TOKEN
    main()
