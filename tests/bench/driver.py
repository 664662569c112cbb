"""A load driver: prepared requests over kept connections, and the CPU time of the server."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = 100


@dataclass
class Result:
    """One measurement."""

    requests: int
    seconds: float
    cpu_seconds: float
    bytes_moved: int
    rss_growth_bytes: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_per_1000(self) -> float:
        return self.cpu_seconds / self.requests * 1000

    @property
    def mib_per_s(self) -> float:
        return self.bytes_moved / self.seconds / 2**20


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def request(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{k}: {v}" for k, v in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def measure(
    pid: int,
    port: int,
    requests: list[bytes],
    *,
    seconds: float,
    connections: int,
    spread: bool = False,
) -> Result:
    """Send the requests in turn over some connections for a while.

    Args:
        pid: of the server's process.
        port: where it listens.
        requests: each connection sends all of them, again and again.
        seconds: how long.
        connections: how many at once.
        spread: whether each connection begins with another request.

    Raises:
        RuntimeError: an answer was not a 200.
    """
    before_cpu, before_rss, start = cpu_seconds(pid), rss_bytes(pid), time.perf_counter()
    end = start + seconds
    work = (
        _connection(port, requests[first:] + requests[:first], end)
        for first in (n % len(requests) if spread else 0 for n in range(connections))
    )
    counts = await asyncio.gather(*work)
    elapsed = time.perf_counter() - start
    return Result(
        requests=sum(n for n, _ in counts),
        seconds=elapsed,
        cpu_seconds=cpu_seconds(pid) - before_cpu,
        bytes_moved=sum(b for _, b in counts),
        rss_growth_bytes=rss_bytes(pid) - before_rss,
    )


async def _connection(port: int, requests: list[bytes], end: float) -> tuple[int, int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4 * 2**20)
    count = moved = 0
    while time.perf_counter() < end:
        for message in requests:
            writer.write(message)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            left = length
            while left:
                chunk = await reader.read(min(left, 2**20))
                left -= len(chunk)
            count += 1
            moved += length + len(message)
    writer.close()
    await writer.wait_closed()
    return count, moved
