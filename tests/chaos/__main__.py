"""The runs by name.

    python -m tests.chaos editing [seconds] [seed] [s3|local|failover]
    python -m tests.chaos locks [seconds] [seed]
    python -m tests.chaos events [count] [seed]
    python -m tests.chaos rolling [clients]

The exit code is 1 where an acknowledged update is in no version, a refused save in no recovery
copy, an editor got a status that makes it throw its session away, an event is missing, or two locks
held one file.
"""

import asyncio
import random
import sys
from collections.abc import Callable, Iterable

from tests.chaos import editing, events, locks, rolling

SECONDS = 60.0


def main() -> int:
    name, *words = sys.argv[1:] or ["editing"]
    run = RUNS.get(name)
    if run is None:
        print(__doc__)
        return 2
    return 0 if run(words) else 1


def _edit(words: list[str]) -> bool:
    seconds, seed = _seconds(words, SECONDS), _seed(words)
    protocol = words[2] if len(words) > 2 else "s3"
    print(f"editing {seconds:g} {seed} {protocol}", flush=True)
    outcome = asyncio.run(editing.edit(seconds, seed, protocol))
    _show(outcome.rows())
    return outcome.is_good


def _fight(words: list[str]) -> bool:
    seconds, seed = _seconds(words, 20.0), _seed(words)
    print(f"locks {seconds:g} {seed}", flush=True)
    outcome = asyncio.run(locks.fight(seconds, seed))
    _show(outcome.rows())
    return outcome.is_good


def _deliver(words: list[str]) -> bool:
    count, seed = int(_seconds(words, 10_000)), _seed(words)
    print(f"events {count} {seed}", flush=True)
    return asyncio.run(events.run(count, seed))


def _roll(words: list[str]) -> bool:
    outcome = asyncio.run(rolling.roll(int(_seconds(words, 200))))
    _show(outcome.rows())
    return outcome.is_good


def _seconds(words: list[str], default: float) -> float:
    return float(words[0]) if words else default


def _seed(words: list[str]) -> int:
    return int(words[1]) if len(words) > 1 else random.SystemRandom().randrange(10**6)


def _show(rows: Iterable[tuple[float, str]]) -> None:
    for number, name in rows:
        print(f"{number:8g}  {name}")


RUNS: dict[str, Callable[[list[str]], bool]] = {
    "editing": _edit,
    "locks": _fight,
    "events": _deliver,
    "rolling": _roll,
}

if __name__ == "__main__":
    sys.exit(main())
