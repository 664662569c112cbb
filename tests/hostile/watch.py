"""What the processes of the cluster do meanwhile: none ends, none grows without bound."""

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis

from tests.hostile.record import Record
from tests.support.cluster import Cluster

EVERY_S = 0.5
MIB = 1024 * 1024
PROCESS_MIB_MAX = 200
"""So much one process may grow at most while it is attacked, at any moment."""

REDIS_MIB_MAX = 160
"""So much Redis may grow at most: what shares of all attacking tenants and sessions add up to."""


@dataclass
class Watch:
    """The watch of one run."""

    cluster: Cluster
    record: Record
    pids: dict[str, int] = field(default_factory=dict[str, int])
    calm: dict[int, int] = field(default_factory=dict[int, int])
    """Resident bytes by process before the attack."""
    most: dict[int, int] = field(default_factory=dict[int, int])
    redis_calm: int = 0
    redis_most: int = 0

    def begin(self) -> None:
        """Note what there is while all is calm."""
        url = (self.cluster.data_dir / "redis-url").read_text().strip()
        server: Any = Redis
        self._redis: Any = server.from_url(url)
        self.pids = self.cluster.pids()
        self.calm = {pid: resident_bytes(pid) for pid in self.pids.values()}
        self.redis_calm = self._redis_bytes()

    async def run(self, stop: asyncio.Event) -> None:
        """Look every half second."""
        while not stop.is_set():
            self.look()
            await asyncio.sleep(EVERY_S)

    def look(self) -> None:
        """Look once."""
        now = self.cluster.pids()
        for name in sorted(set(self.pids) - set(now)):
            self.record.find(f"a process ended: {name.partition('#')[0]}")
        self.pids = now
        for pid in now.values():
            self.most[pid] = max(self.most.get(pid, 0), resident_bytes(pid))
        self.redis_most = max(self.redis_most, self._redis_bytes())

    def judge(self) -> list[tuple[float, str]]:
        """Hold growth against its bounds; return it as rows of the report."""
        grown = {p: (self.most[p] - b) / MIB for p, b in self.calm.items() if p in self.most}
        names = {pid: name.partition("#")[0] for name, pid in self.pids.items()}
        for pid, mib in grown.items():
            if mib > PROCESS_MIB_MAX and "genro" in names.get(pid, ""):
                self.record.find(f"{names[pid]} grew by {mib:.0f} MiB")
        redis_mib = (self.redis_most - self.redis_calm) / MIB
        if redis_mib > REDIS_MIB_MAX:
            self.record.find(f"Redis grew by {redis_mib:.0f} MiB")
        most = max((m for p, m in grown.items() if "genro" in names.get(p, "")), default=0.0)
        return [
            (round(most, 1), f"MiB by which a process grew at most (bound {PROCESS_MIB_MAX})"),
            (round(redis_mib, 1), f"MiB by which Redis grew at most (bound {REDIS_MIB_MAX})"),
        ]

    def _redis_bytes(self) -> int:
        try:
            return int(self._redis.info("memory")["used_memory"])
        except Exception as error:  # noqa: BLE001 - whatever it is, Redis does not answer
            self.record.find(f"Redis does not answer: {type(error).__name__}")
            return 0


def resident_bytes(pid: int) -> int:
    """Return how much memory a process holds; 0 where it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
