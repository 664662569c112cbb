"""Starts processes, shows their output with a prefix each, restarts those that end, ends all.

A process that ends is started again after a growing pause. Stopping sends SIGTERM to all, and
SIGKILL to those that are still there after `STOP_S`. On Linux the kernel ends the children when the
supervisor itself is killed, so that no orphan is left.
"""

import asyncio
import ctypes
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

STOP_S: Final = 3.0
LAST_STOP_S: Final = 1.5
"""For the process that ends after the others: all are gone within five seconds."""

RESTART_PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
STABLE_S: Final = 10.0
"""A process that ran this long starts again without delay."""

LINE_BYTES_MAX: Final = 1024 * 1024
EXIT_CONFIGURATION: Final = 2
_COLOURS: Final = (36, 32, 35, 33, 34, 96, 92, 95, 93, 94)
_PR_SET_PDEATHSIG: Final = 1


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process to keep running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


class FatalProcessError(Exception):
    """A process says that its configuration is wrong: starting it again cannot help."""


class Supervisor:
    """Keeps a set of processes running."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = False
        self._width = 0
        self._keepers: list[asyncio.Task[None]] = []

    def start(self, tasks: asyncio.TaskGroup, process: Process) -> None:
        """Start a process and keep it running."""
        self._width = max(self._width, len(process.name))
        colour = _COLOURS[len(self._keepers) % len(_COLOURS)]
        self._keepers.append(tasks.create_task(self._keep(process, colour)))

    async def stop(self, *, last: str = "") -> None:
        """End all processes; the one named `last` after the others."""
        self._stopping = True
        await self._end({n: p for n, p in self._running.items() if n != last}, STOP_S)
        await self._end(dict(self._running), LAST_STOP_S)
        for keeper in self._keepers:
            keeper.cancel()

    async def _end(self, processes: dict[str, asyncio.subprocess.Process], within_s: float) -> None:
        for process in processes.values():
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        waiting = [asyncio.ensure_future(p.wait()) for p in processes.values()]
        if waiting:
            await asyncio.wait(waiting, timeout=within_s)
        for name, process in processes.items():
            if process.returncode is None:
                self._show(name, 31, "does not stop: killed")
                process.kill()
                await process.wait()

    async def _keep(self, process: Process, colour: int) -> None:
        failures = 0
        while not self._stopping:
            started_s = time.monotonic()
            code = await self._run(process, colour)
            if self._stopping:
                return
            if code == EXIT_CONFIGURATION:
                raise FatalProcessError(process.name)
            failures = 0 if time.monotonic() - started_s > STABLE_S else failures + 1
            pause_s = RESTART_PAUSES_S[min(failures, len(RESTART_PAUSES_S) - 1)]
            self._show(process.name, colour, f"ended ({code}); starts again in {pause_s:g} s")
            await asyncio.sleep(pause_s)

    async def _run(self, process: Process, colour: int) -> int:
        child = await asyncio.create_subprocess_exec(
            *process.command,
            env=dict(process.environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            limit=LINE_BYTES_MAX,
        )
        self._running[process.name] = child
        if child.stdout is not None:
            async for line in child.stdout:
                self._show(process.name, colour, line.decode(errors="replace").rstrip())
        code = await child.wait()
        self._running.pop(process.name, None)
        return code

    def _show(self, name: str, colour: int, line: str) -> None:
        prefix = f"{name:<{self._width}} |"
        if self._colours:
            prefix = f"\033[{colour}m{prefix}\033[0m"
        is_json = line.startswith("{")
        sys.stdout.write(f"{line}\n" if is_json else f"{prefix} {line}\n")
        sys.stdout.flush()


_libc: Final = ctypes.CDLL(None)


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
