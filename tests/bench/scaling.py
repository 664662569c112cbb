"""What a request costs as replicas are added, and how long a service needs to be ready."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from tests.bench.driver import cpu_seconds, request
from tests.bench.latency import at_rate
from tests.bench.tables import Table
from tests.chaos.stage import environment_of, services
from tests.support.cluster import Cluster
from tests.support.servers import free_port

RATE_EACH, SECONDS = 200.0, 6.0
STARTS = 5
READY_S = 20.0
SERVICES = ("gateway", "session_service", "wopi_service", "callback_worker")


def measure_replicas(cluster: Cluster, sessions: Sequence[dict[str, Any]]) -> Table:
    """Send the same rate to each of one, two, three and four replicas of the cluster."""
    table = Table(
        "As replicas are added",
        f"CheckFileInfo, {RATE_EACH:g} a second to each of so many wopi-services, for {SECONDS:g} s."
        " What one request costs must stay the same: replicas share nothing but Redis.",
        ("replicas", "CPU s/1,000 requests", "p50 ms", "p99 ms"),
    )
    found = sorted(services(cluster, "wopi_service").items())
    for count in range(1, len(found) + 1):
        used = found[:count]
        before = sum(cpu_seconds(pid) for pid, _ in used)
        took = sorted(asyncio.run(_spread([port for _, port in used], sessions)))
        cpu = sum(cpu_seconds(pid) for pid, _ in used) - before
        p50_s, p99_s = took[len(took) // 2], took[int(len(took) * 0.99)]
        table.add(str(count), cpu / len(took) * 1000, p50_s * 1000, p99_s * 1000)
    return table


async def _spread(ports: list[int], sessions: Sequence[dict[str, Any]]) -> list[float]:
    asked = [
        request("GET", f"/wopi/files/{s['file_id']}?access_token={s['access_token']}", {})
        for s in sessions
    ]
    runs = (at_rate(port, asked, rate=RATE_EACH, seconds=SECONDS) for port in ports)
    return [took for run in await asyncio.gather(*runs) for took in run]


def measure_start(cluster: Cluster) -> Table:
    """Start each service beside the cluster's own until it says that it is ready."""
    table = Table(
        "From start to ready",
        f"A new process until its `/health/ready` answers 200; medians of {STARTS} starts.",
        ("service", "s"),
    )
    for name in SERVICES:
        pid = min(services(cluster, name))
        took = [_until_ready(name, environment_of(pid)) for _ in range(STARTS)]
        table.add(name.replace("_", "-"), median(took))
    return table


def _until_ready(name: str, environment: dict[str, str]) -> float:
    port, metrics = free_port(), free_port()
    own = {"WOPI_PORT": str(port), "WOPI_METRICS_PORT": str(metrics)}
    asked = metrics if name == "callback_worker" else port
    with tempfile.TemporaryDirectory() as folder:
        began_s = time.perf_counter()
        with _started(name, {**environment, **own}, Path(folder) / "log"):
            while not _is_ready(asked):
                if time.perf_counter() - began_s > READY_S:
                    raise RuntimeError(f"{name} is not ready after {READY_S:g} s")
                time.sleep(0.005)
            return time.perf_counter() - began_s


@contextmanager
def _started(name: str, environment: dict[str, str], log: Path) -> Generator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", f"genro_wopi.{name}"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
