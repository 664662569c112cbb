"""Asks CheckFileInfo at fixed moments, in a process of its own: ``python -m tests.hostile.probe``.

A moment that is missed since the answer before is late counts from when it should have been, so
that one long wait is not one slow answer among many quick ones.
"""

import http.client
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

EVERY_S = 0.05
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Asked:
    """One answer: when it should have been asked (monotonic), how long it took, its status."""

    at_s: float
    took_s: float
    status: int


def read(file: Path, since_s: float, until_s: float) -> list[Asked]:
    """Return what a probe wrote down of a time."""
    lines = (line.split() for line in file.read_text().splitlines())
    asked = (
        Asked(float(a), float(t), int(s)) for a, t, s in (line for line in lines if len(line) == 3)
    )
    return [a for a in asked if since_s <= a.at_s < until_s]


def quantile_s(asked: list[Asked], share: float) -> float:
    """Return how long the given share of answers took at most."""
    took = sorted(a.took_s for a in asked)
    return took[min(len(took) - 1, int(share * len(took)))] if took else 0.0


def main(url: str, file: str) -> None:
    """Ask until somebody ends this process."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}"
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
    moment_s = time.monotonic()
    with Path(file).open("w", buffering=1) as output:
        while True:
            try:
                connection.request("GET", target)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
            output.write(f"{moment_s:.4f} {time.monotonic() - moment_s:.4f} {status}\n")
            moment_s += EVERY_S
            time.sleep(max(0.0, moment_s - time.monotonic()))


if __name__ == "__main__":
    main(*sys.argv[1:])
