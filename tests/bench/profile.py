"""Where a wopi-service's time goes: whose code runs, and what it asks of the kernel."""

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.bench.driver import Result, measure
from tests.bench.latency import request_cases
from tests.bench.tables import Table

CONNECTIONS = 8
SECONDS, SAMPLES_PER_S = 6, 250
ATTACHED_S = 2.0
"""Until strace has found all threads."""

_TRACED: Final = (
    "-e",
    (
        "trace=%file,%network,read,write,writev,pread64,pwrite64,close,lseek,flock,fsync,fdatasync,"
        "fchmod,ftruncate,fallocate,sendfile,getrandom"
    ),
)

SHARE_MIN = 0.02
CALLS_MIN = 0.02

_OURS: Final = "/genro_wopi/"
_LIBRARIES: Final = "/site-packages/"
_PYTHON: Final = f"/python{sys.version_info.major}.{sys.version_info.minor}/"


def measure_shares(pid: int, port: int, sessions: Sequence[dict[str, Any]], folder: Path) -> Table:
    """Ask py-spy which code runs while requests come as fast as they can.

    Args:
        pid: of the wopi-service.
        port: where it listens.
        sessions: on as many documents, each locked with ``L``.
        folder: for what it writes down.
    """
    cases = request_cases(sessions)
    shares: dict[str, Counter[str]] = {}
    for name, requests in cases.items():
        written = folder / "stacks"
        spy = Path(sys.executable).with_name("py-spy")
        rate = ("--rate", str(SAMPLES_PER_S), "--duration", str(SECONDS), "--gil")
        watching = subprocess.Popen(
            [
                *(spy, "record", "--pid", str(pid), *rate),
                *("--full-filenames", "--format", "raw", "-o", written),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _load(pid, port, requests, SECONDS + 1)
        if watching.wait(timeout=60):
            raise RuntimeError("py-spy may not look at another process here; run it as root")
        shares[name] = _by_part(written.read_text())
    table = Table(
        "Whose code runs",
        "A busy wopi-service is looked at (py-spy,"
        f" {SAMPLES_PER_S} times a second): of the moments at which Python ran, in how many it was"
        " which code. Modules of this host by their place, libraries and Python's own by name; C code"
        " counts for the Python code that called it, the event loop's own for asyncio."
        f" Per cent; what never has {SHARE_MIN:.0%} is left out.",
        ("code", *cases),
    )
    every = sum(shares.values(), Counter[str]())
    for part, _ in every.most_common():
        row = [found[part] / found.total() for found in shares.values()]
        if max(row) >= SHARE_MIN:
            table.add(part, *(share * 100 for share in row))
    return table


def measure_calls(pid: int, port: int, sessions: Sequence[dict[str, Any]], folder: Path) -> Table:
    """Ask strace what a request asks of the kernel; the arguments are those of `measure_shares`."""
    cases = request_cases(sessions)
    calls: dict[str, dict[str, float]] = {}
    for name, requests in cases.items():
        written = folder / "calls"
        watching = subprocess.Popen(
            ["strace", "-f", "-c", *_TRACED, "-p", str(pid), "-o", written],  # noqa: S607 - on PATH
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(ATTACHED_S)
        done = _load(pid, port, requests, SECONDS)
        watching.send_signal(signal.SIGINT)
        watching.wait(timeout=60)
        counts = _counted(written.read_text())
        calls[name] = {call: count / done.requests for call, count in counts.items()}
    table = Table(
        "What a request asks of the kernel",
        "Calls of a wopi-service to read, write and name things (strace) divided by the requests"
        f" meanwhile, {CONNECTIONS} at once; waiting is left out, which watching makes more of, and"
        f" what never has {CALLS_MIN:g}.",
        ("call", *cases),
    )
    for call in sorted({c for found in calls.values() for c in found}):
        row = [found.get(call, 0.0) for found in calls.values()]
        if max(row) >= CALLS_MIN:
            table.add(call, *row)
    return table


def _load(pid: int, port: int, requests: list[bytes], seconds: float) -> Result:
    work = measure(pid, port, requests, seconds=seconds, connections=CONNECTIONS, spread=True)
    return asyncio.run(work)


def _by_part(stacks: str) -> Counter[str]:
    """Count samples by who ran; each line is ``outermost (file:line);…;innermost (file:line) n``."""
    found = Counter[str]()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        innermost = stack.rpartition(";")[2]
        file = innermost.rpartition("(")[2].rpartition(":")[0] or innermost
        found[_part_of(file)] += int(count)
    return found


def _part_of(file: str) -> str:
    if _OURS in f"/{file}":
        below = f"/{file}".partition(_OURS)[2].removesuffix(".py").split("/")
        return f"genro_wopi.{'.'.join(below[:2])}"
    if _LIBRARIES in file:
        return file.partition(_LIBRARIES)[2].partition("/")[0].removesuffix(".py")
    return f"Python's {file.partition(_PYTHON)[2].partition('/')[0].removesuffix('.py') or 'own'}"


def _counted(summary: str) -> dict[str, int]:
    """Read strace's table: share, seconds, µs a call, calls, errors if any, name."""
    found: dict[str, int] = {}
    for line in summary.splitlines():
        words = line.split()
        if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
            found[words[-1]] = int(words[3])
    return found
