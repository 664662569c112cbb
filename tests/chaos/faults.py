"""What goes wrong while people edit, one thing at a time, drawn from a seed."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.chaos.stage import services
from tests.support.cluster import Application, Cluster
from tests.support.servers import Sentinels

PAUSE_S = 2.5
FAILED_OVER_S = 30.0
KILLED = ("wopi_service", "wopi_service", "gateway", "session_service", "callback_worker")
CLOCK_STEPS_S = (-300, -30, 30, 300)

Fault = Callable[[], Awaitable[str]]
"""Does it, waits until it is over, and says what it did."""


@dataclass
class Trouble:
    """Everything that can be done to one cluster."""

    cluster: Cluster
    application: Application
    chance: random.Random
    redis: Redis | None
    """To make locks vanish; None behind Sentinels, whose failovers do that."""
    disk: Path | None = None
    """A disk of its own that holds spool and folders; None where none could be mounted."""
    clock: Path | None = None
    """The file that moves the clock of one replica; None without libfaketime."""
    sentinels: Sentinels | None = None

    async def go_on(self, until: float, counts: Counter[str]) -> None:
        """Do one thing after the other until a moment of the loop's clock."""
        loop = asyncio.get_running_loop()
        possible = self.possible()
        while loop.time() < until:
            await asyncio.sleep(PAUSE_S)
            counts[await self.chance.choice(possible)()] += 1

    def possible(self) -> list[Fault]:
        found: list[Fault] = [
            self.kill_service,
            self.kill_service,
            self.freeze_replica,
            self.refuse_callbacks,
            self.fail_over if self.sentinels is not None else self.kill_redis,
        ]
        if self.redis is not None:
            found.append(self.lose_locks)
        if self.disk is not None:
            found.append(self.fill_disk)
        if self.clock is not None:
            found.append(self.step_clock)
        return found

    async def kill_service(self) -> str:
        name = self.chance.choice(KILLED)
        pids = sorted(services(self.cluster, name))
        if not pids:
            return "nothing to kill"
        os.kill(self.chance.choice(pids), signal.SIGKILL)
        return f"kill -9 {name.replace('_', '-')}"

    async def kill_redis(self) -> str:
        names = ("redis", "valkey")
        found = self.cluster.pids().items()
        pids = [pid for name, pid in found if any(known in name for known in names)]
        if not pids:
            return "nothing to kill"
        os.kill(pids[0], signal.SIGKILL)
        return "kill -9 redis"

    async def fail_over(self) -> str:
        """Kill the primary; when its replica has taken over, it comes back as a replica itself."""
        if self.sentinels is None:
            return "no Sentinel"
        before = await self._primary(self.sentinels)
        name = next(n for n, port in self.sentinels.ports.items() if port == before)
        self.sentinels.servers[name].kill()
        self.sentinels.servers[name].wait()
        loop = asyncio.get_running_loop()
        end = loop.time() + FAILED_OVER_S
        while (now := await self._primary(self.sentinels)) == before:
            if loop.time() > end:
                raise RuntimeError("Sentinel did not fail over")
            await asyncio.sleep(0.1)
        self.sentinels.revive(name, now)
        while not await self._is_replicated(now):
            if loop.time() > end + FAILED_OVER_S:
                raise RuntimeError("the old primary did not become a replica")
            await asyncio.sleep(0.2)
        return "primary of Redis killed, its replica took over"

    async def _primary(self, sentinels: Sentinels) -> int:
        """Return the port of what is the primary now."""
        place = sentinels.url.removeprefix("redis+sentinel://").split(",")[0]
        host, _, port = place.partition(":")
        async with Redis(host=host, port=int(port), socket_timeout=2) as client:
            untyped: Any = client
            found = await untyped.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "wopi")
        return int(found[1])

    async def _is_replicated(self, port: int) -> bool:
        """Tell whether a primary has a replica with all that it holds.

        A second failover before that would promote what has nothing: a loss of both copies.
        """
        async with Redis(host="127.0.0.1", port=port, socket_timeout=2) as client:
            untyped: Any = client
            try:
                found = await untyped.info("replication")
            except (OSError, RedisError):
                return False
        copy = found.get("slave0", {})
        return copy.get("state") == "online" and copy.get("lag") in {0, 1}

    async def freeze_replica(self) -> str:
        pids = sorted(services(self.cluster, "wopi_service"))
        if not pids:
            return "nothing to stop"
        pid = self.chance.choice(pids)
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(self.chance.uniform(0.5, 3.0))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        return "SIGSTOP wopi-service"

    async def lose_locks(self) -> str:
        """Do what an unlucky failover does."""
        untyped: Any = self.redis
        try:
            found = [key async for key in untyped.scan_iter("wopi:*:lock:*")]
            lost = [key for key in found if self.chance.random() < 0.5]
            if lost:
                await untyped.delete(*lost)
        except (OSError, RedisError):
            return "no Redis to lose locks in"
        return "half of the locks lost"

    async def refuse_callbacks(self) -> str:
        """Others go on meanwhile, and so do the next faults."""
        self.application.fails_until_s = time.monotonic() + self.chance.uniform(2.0, 6.0)
        return "callbacks answered 500 for 2 to 6 s"

    async def fill_disk(self) -> str:
        """Leave no byte for spool and folders, for a while."""
        if self.disk is None:
            return "no disk of its own"
        ballast = self.disk / "ballast"
        await asyncio.to_thread(_fill, ballast)
        await asyncio.sleep(self.chance.uniform(1.0, 3.0))
        ballast.unlink()
        return "disk full"

    async def step_clock(self) -> str:
        """Move one replica's clock, as a paused virtual machine or a bad NTP server does."""
        if self.clock is None:
            return "no clock of its own"
        step_s = self.chance.choice(CLOCK_STEPS_S)
        self.clock.write_text(f"{step_s:+d}s\n")
        await asyncio.sleep(self.chance.uniform(1.0, 4.0))
        self.clock.write_text("+0s\n")
        return "one replica's clock stepped by up to 5 min"


def _fill(ballast: Path) -> None:
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**20))
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))
