"""How long requests take at a fixed rate, whatever the server makes of it (an open loop)."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import uvloop

from tests.bench.driver import measure, request
from tests.bench.processors import alone
from tests.bench.tables import Table

LOAD = 0.7
"""Of what the service does at most with as many connections."""

CONNECTIONS = 16
MOST_S, ROUND_S = 3.0, 4.0
ROUNDS = 5
BODY = bytes(range(256)) * 400
"""100 KB."""


def measure_latency(
    ours: tuple[int, int],
    floor: tuple[int, int],
    sessions: Sequence[dict[str, Any]],
    others: Sequence[int],
) -> Table:
    """Measure some operations at 70 % of what the service can do, and of what the floor can.

    Args:
        ours: pid and port of the wopi-service.
        floor: those of the floor.
        sessions: on as many documents, each locked with ``L``.
        others: processes that share the other processor with the driver.
    """
    table = Table(
        f"How long it takes at {LOAD:.0%} of the most",
        f"First the most that one wopi-service does with {CONNECTIONS} connections, then"
        f" {LOAD:.0%} of that, sent at even times whether or not earlier ones were"
        " answered; each is counted from the moment at which it was due. The service has one"
        " processor for itself; Redis and the driver share the other. Medians of"
        f" {ROUNDS} rounds of {ROUND_S:g} s. The goal is a p99 of at most four times the p50. The"
        f" floor, as above, at {LOAD:.0%} of its own most, in turn with ours: what of the spread is"
        " Redis, the driver and the machine.",
        (
            *("case", "most req/s", "sent req/s", "p50 ms", "p99 ms", "p99/p50", "in the rounds"),
            *("floor sent req/s", "floor p50 ms", "floor p99 ms", "floor p99/p50"),
        ),
    )
    for name, requests in request_cases(sessions).items():
        paces = [
            _Pace(pid, port, requests, (*others, other))
            for (pid, port), (other, _) in ((ours, floor), (floor, ours))
        ]
        for _ in range(ROUNDS):
            for pace in paces:
                pace.run_round()
        mine, least = paces
        ratios = sorted(mine.ratios)
        spread = f"{ratios[0]:.1f} to {ratios[-1]:.1f}"
        table.add(name, mine.most, *mine.medians(), spread, *least.medians())
    return table


class _Pace:
    """One process at a fixed share of the most that it does of something."""

    def __init__(self, pid: int, port: int, requests: list[bytes], others: Sequence[int]) -> None:
        self._pid, self._port, self._requests, self._others = pid, port, requests, others
        with alone(pid, others):
            work = measure(
                pid, port, requests, seconds=MOST_S, connections=CONNECTIONS, spread=True
            )
            self.most = uvloop.run(work).rate
        self._p50s_ms: list[float] = []
        self._p99s_ms: list[float] = []

    def run_round(self) -> None:
        with alone(self._pid, self._others):
            work = at_rate(self._port, self._requests, rate=self.most * LOAD, seconds=ROUND_S)
            took = sorted(uvloop.run(work))
        self._p50s_ms.append(took[len(took) // 2] * 1000)
        self._p99s_ms.append(took[int(len(took) * 0.99)] * 1000)

    @property
    def ratios(self) -> list[float]:
        return [p99 / p50 for p50, p99 in zip(self._p50s_ms, self._p99s_ms, strict=True)]

    def medians(self) -> tuple[float, float, float, float]:
        """Return requests sent per second, p50 and p99 in ms, and the ratio of both."""
        rate = self.most * LOAD
        return rate, median(self._p50s_ms), median(self._p99s_ms), median(self.ratios)


def request_cases(sessions: Sequence[dict[str, Any]]) -> dict[str, list[bytes]]:
    """Return the requests of each operation, one for each document that ``L`` locks."""
    put = {"X-WOPI-Override": "PUT", "X-WOPI-Lock": "L"}
    lock = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "L"}
    of = [(f"/wopi/files/{s['file_id']}", f"?access_token={s['access_token']}") for s in sessions]
    return {
        "CheckFileInfo": [request("GET", at + query, {}) for at, query in of],
        "LOCK (refresh)": [request("POST", at + query, lock) for at, query in of],
        "GetFile 100 KB": [request("GET", f"{at}/contents{query}", {}) for at, query in of],
        "PutFile 100 KB": [request("POST", f"{at}/contents{query}", put, BODY) for at, query in of],
    }


async def at_rate(
    port: int, requests: Sequence[bytes], *, rate: float, seconds: float
) -> list[float]:
    """Send requests at even times; return how long each took since it was due, in s.

    Each connection has its own share of the moments. Where an answer is late, what was due
    meanwhile is sent after it at once, and its waiting counts.
    """
    began = time.perf_counter() + 0.1
    moments = [began + number / rate for number in range(int(rate * seconds))]
    shares = (_Connection(port, requests, moments[n::CONNECTIONS], n) for n in range(CONNECTIONS))
    took = await asyncio.gather(*(share.run() for share in shares))
    return [each for share in took for each in share]


@dataclass
class _Connection:
    port: int
    requests: Sequence[bytes]
    moments: Sequence[float]
    first: int

    async def run(self) -> list[float]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        took: list[float] = []
        for number, due in enumerate(self.moments):
            early_s = due - time.perf_counter()
            if early_s > 0:
                await asyncio.sleep(early_s)
            writer.write(self.requests[(self.first + number) % len(self.requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            took.append(time.perf_counter() - due)
        writer.close()
        await writer.wait_closed()
        return took
