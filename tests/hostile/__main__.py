"""Attackers on a cluster; without words three seeds for ten minutes each, and a report.

    python -m tests.hostile [SECONDS [SEED [PLOT…]]]
    python -m tests.hostile report SECONDS SEED…

The exit code is 1 where something was found. Every action is in `build/hostile.log`, with the step
that a finding names.
"""

import asyncio
import sys

from tests.hostile.report import report
from tests.hostile.run import attack

SECONDS, SEEDS = 600.0, [1, 2, 3]


def main() -> int:
    words = sys.argv[1:] or ["report"]
    if words[0] == "report":
        seconds = float(words[1]) if len(words) > 1 else SECONDS
        return 0 if report(seconds, [int(word) for word in words[2:]] or SEEDS) else 1
    seed = int(words[1]) if len(words) > 1 else SEEDS[0]
    outcome = asyncio.run(attack(float(words[0]), seed, only=words[2:]))
    for number, name in outcome.rows():
        print(f"{number:10g}  {name}")
    print(*outcome.record.lines(), sep="\n")
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
