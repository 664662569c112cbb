"""Starts processes, shows their output with a prefix each, restarts those that end, ends all.

A process that ends is started again after a growing pause. One that cannot start, because its
configuration is wrong or because it ended `TRIES` times before the cluster was up, is a failure.
Stopping sends SIGTERM to all, and SIGKILL to those that are still there after `STOP_S`. On Linux
the kernel ends the children when the supervisor itself is killed, so that no orphan is left.
"""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from genro_wopi.runtime.lifecycle import EXIT_CONFIGURATION, EXIT_FAILED

STOP_S: Final = 3.0
LAST_STOP_S: Final = 1.5
"""For the process that ends after the others: all are gone within five seconds."""

TRIES: Final = 3
RESTART_PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
STABLE_S: Final = 10.0
"""A process that ran this long starts again without delay."""

LINE_BYTES_MAX: Final = 1024 * 1024
_COLOURS: Final = (36, 32, 35, 33, 34, 96, 92, 95, 93, 94)
_PR_SET_PDEATHSIG: Final = 1


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process to keep running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A process that cannot start: starting it again cannot help."""

    name: str
    exit_code: int
    last_line: str
    """The last that it said."""


class Kept:
    """A process that the supervisor keeps running."""

    def __init__(self, process: Process, colour: int, *, is_trial: bool) -> None:
        self.process = process
        self.colour = colour
        self.is_trial = is_trial
        """Whether it may end for good: something else is tried then."""
        self.ended = asyncio.Event()
        """Whether it ended at least once."""
        self.last_line = ""
        self.child: asyncio.subprocess.Process | None = None
        self.keeper: asyncio.Task[None] | None = None
        self.is_wanted = True


class Supervisor:
    """Keeps a set of processes running."""

    def __init__(self, *, colours: bool, inherited: Sequence[int] = ()) -> None:
        self._colours = colours
        self._inherited = inherited
        self._kept: list[Kept] = []
        self._width = 0
        self._has_started = False
        self._failed: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()

    def start(self, process: Process, *, is_trial: bool = False) -> Kept:
        """Start a process and keep it running."""
        self._width = max(self._width, len(process.name))
        kept = Kept(process, _COLOURS[len(self._kept) % len(_COLOURS)], is_trial=is_trial)
        self._kept.append(kept)
        kept.keeper = asyncio.create_task(self._keep(kept))
        return kept

    def started(self) -> None:
        """Note that all are up: from now on whatever ends is started again, however often."""
        self._has_started = True

    async def failure(self) -> Failure:
        """Wait for a process that cannot start."""
        return await asyncio.shield(self._failed)

    async def end(self, kept: Kept) -> None:
        """End one process and keep it no longer."""
        await self._end([kept], LAST_STOP_S)
        self._kept.remove(kept)

    async def stop(self, *, last: str = "") -> None:
        """End all processes; the one named `last` after the others."""
        await self._end([k for k in self._kept if k.process.name != last], STOP_S)
        await self._end(self._kept, LAST_STOP_S)

    async def _end(self, kept: Sequence[Kept], within_s: float) -> None:
        for one in kept:
            one.is_wanted = False
            if one.child is None and one.keeper is not None:
                one.keeper.cancel()  # It pauses before the next start.
            elif one.child is not None and one.child.returncode is None:
                one.child.send_signal(signal.SIGTERM)
        keepers = [one.keeper for one in kept if one.keeper is not None]
        if not keepers:
            return
        await asyncio.wait(keepers, timeout=within_s)
        for one in kept:
            if one.child is not None and one.child.returncode is None:
                self._show(one, "does not stop: killed")
                one.child.kill()
        await asyncio.wait(keepers)

    async def _keep(self, kept: Kept) -> None:
        failures = 0
        while kept.is_wanted:
            started_s = time.monotonic()
            code = await self._run(kept)
            kept.ended.set()
            if not kept.is_wanted or kept.is_trial:
                return
            failures = 0 if time.monotonic() - started_s > STABLE_S else failures + 1
            if code == EXIT_CONFIGURATION or (failures >= TRIES and not self._has_started):
                self._fail(kept, code)
                return
            pause_s = RESTART_PAUSES_S[min(failures, len(RESTART_PAUSES_S) - 1)]
            self._show(kept, f"ended ({code}); starts again in {pause_s:g} s")
            await asyncio.sleep(pause_s)

    def _fail(self, kept: Kept, code: int) -> None:
        if not self._failed.done():
            failure = Failure(name=kept.process.name, exit_code=code, last_line=kept.last_line)
            self._failed.set_result(failure)

    async def _run(self, kept: Kept) -> int:
        try:
            child = await asyncio.create_subprocess_exec(
                *kept.process.command,
                env=dict(kept.process.environment),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=self._inherited,
                preexec_fn=_ending_with(os.getpid()) if sys.platform == "linux" else None,
                limit=LINE_BYTES_MAX,
            )
        except OSError as error:
            kept.last_line = f"{kept.process.command[0]}: {error.strerror}"
            self._show(kept, kept.last_line)
            return EXIT_FAILED
        kept.child = child
        try:
            if not kept.is_wanted:
                child.send_signal(signal.SIGTERM)
            await self._show_output(kept, child)
            return await child.wait()
        finally:
            kept.child = None

    async def _show_output(self, kept: Kept, child: asyncio.subprocess.Process) -> None:
        if child.stdout is None:
            return
        while True:
            try:
                line = await child.stdout.readline()
            except ValueError:
                continue  # The line was longer than `LINE_BYTES_MAX`: it is left out.
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            kept.last_line = text or kept.last_line
            self._show(kept, text)

    def _show(self, kept: Kept, line: str) -> None:
        prefix = f"{kept.process.name:<{self._width}} |"
        if self._colours:
            prefix = f"\033[{kept.colour}m{prefix}\033[0m"
        is_json = line.startswith("{")
        try:
            sys.stdout.write(f"{line}\n" if is_json else f"{prefix} {line}\n")
            sys.stdout.flush()
        except OSError as error:  # Nobody reads any more, or the disk is full.
            kept.last_line = f"its output cannot be written ({error.strerror})"
            self._fail(kept, EXIT_FAILED)


_libc: Final = ctypes.CDLL(None)


def _ending_with(parent: int) -> Callable[[], None]:
    """Make what a child does before it begins: ask the kernel to end it with its parent."""

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # The parent was killed before the kernel was asked.
            os.kill(os.getpid(), signal.SIGTERM)

    return prepare
