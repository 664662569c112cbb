"""All runs, one after the other, and what they showed as a page of the documentation."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench import pages
from tests.bench.machine import machine_line
from tests.chaos.runs import RUNS, Outcome, Run

PAGE = Path("docs/reliability.md")

_HEAD = """# Reliability, measured

Made by `make chaos`; `make chaos ARGS="report 7 editing locks"` does some of it again with seed 7.

Everything that the emulated editors, applications and other programs are told is noted outside of
the host. When all is quiet again it is looked for: an update that was acknowledged must be in the
document, or, where somebody chose to overwrite it and an event says so, in a version of it; a save
that was refused must be a recovery copy; each stored save must have been announced; no editor may
have been answered 401, 403, 404 or 413, at which it would throw its session away.
"""

_PART = """## {title}

**{result}.** {says}. Again: `make chaos ARGS="{command}"`. *Done at {made}.*

| | |
|---:|---|
{rows}
"""


def report(seed: int, names: Sequence[str]) -> bool:
    """Do runs, put each into the page in the place of the one before; tell whether all were good.

    Args:
        seed: of all of them.
        names: which runs; all where there are none.
    """
    sections, good = pages.sections(PAGE), True
    for run in RUNS:
        for variant in run.variants if not names or run.name in names else ():
            began_s = time.monotonic()
            amount = run.amount_of(variant)
            command = run.command(amount, seed, variant)
            print(command, flush=True)
            outcome = asyncio.run(run.start(amount, seed, variant))
            result = "Good" if outcome.is_good else "NOT GOOD"
            print(f"  {result} after {time.monotonic() - began_s:.0f} s", flush=True)
            if not outcome.is_good:
                good = False
                print(*(f"{number:8g}  {name}" for number, name in outcome.rows()), sep="\n")
            part = _part(run, variant, command, outcome, result)
            sections[_title(run, variant)] = part
            pages.write(PAGE, _HEAD, sections)
    print(f"written: {PAGE}")
    return good


def _title(run: Run, variant: str) -> str:
    return f"{run.name}, {variant}" if variant else run.name


def _part(run: Run, variant: str, command: str, outcome: Outcome, result: str) -> str:
    return _PART.format(
        title=_title(run, variant),
        result=result,
        says=run.says[0].upper() + run.says[1:],
        command=command,
        made=machine_line(),
        rows="\n".join(f"| {_digits(number)} | {name} |" for number, name in outcome.rows()),
    )


def _digits(number: float) -> str:
    return f"{number:,.3f}".rstrip("0").rstrip(".") if number % 1 else f"{number:,.0f}"
