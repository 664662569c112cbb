"""Runs under faults; without words all of them, and a report.

    python -m tests.chaos [RUN [AMOUNT [SEED [VARIANT]]]]
    python -m tests.chaos report [SEED [RUN…]]

The exit code is 1 where an acknowledged update is in no version, a refused save in no recovery
copy, an editor got a status that makes it throw its session away, an event is missing, or two locks
held one file. Each run says the words that do it again.
"""

import asyncio
import sys

from tests.chaos.report import report
from tests.chaos.runs import RUNS, Run, new_seed


def main() -> int:
    words = sys.argv[1:] or ["report"]
    if words[0] == "report":
        seed = int(words[1]) if len(words) > 1 else new_seed()
        return 0 if report(seed, words[2:]) else 1
    run = next((r for r in RUNS if r.name == words[0]), None)
    if run is None:
        print(__doc__)
        for known in RUNS:
            variants = "|".join(v for v in known.variants if v)
            print(f"  {known.name} {known.amount:g} SEED {variants}\n      {known.says}")
        return 2
    return 0 if _alone(run, words[1:]) else 1


def _alone(run: Run, words: list[str]) -> bool:
    amount = float(words[0]) if words else run.amount
    seed = int(words[1]) if len(words) > 1 else new_seed()
    variant = words[2] if len(words) > 2 else run.variants[0]
    print(run.command(amount, seed, variant), flush=True)
    outcome = asyncio.run(run.start(amount, seed, variant))
    for number, name in outcome.rows():
        print(f"{number:8g}  {name}")
    return outcome.is_good


if __name__ == "__main__":
    sys.exit(main())
