"""All runs, one after the other, and what they showed as a page of the documentation."""

import asyncio
import time
from pathlib import Path

from tests.bench.machine import machine_line
from tests.chaos.runs import RUNS, Outcome, Run

PAGE = Path("docs/reliability.md")

_HEAD = """# Reliability, measured

Made by `make chaos` ({machine}); seed {seed}.

Everything that the emulated editors, applications and other programs are told is noted outside of
the host. When all is quiet again it is looked for: an update that was acknowledged must be in the
document, or, where somebody chose to overwrite it and an event says so, in a version of it; a save
that was refused must be a recovery copy; each stored save must have been announced; no editor may
have been answered 401, 403, 404 or 413, at which it would throw its session away.

| run | amount | result |
|---|---|---|
"""

_PART = """
## {title}

{says}. Again: `make chaos ARGS="{command}"`

| | |
|---:|---|
{rows}
"""


def report(seed: int) -> bool:
    """Do all runs; write the page; tell whether all were good.

    A run that is not good says how to do it again; the page is written all the same.
    """
    table, parts, good = "", "", True
    for run in RUNS:
        for variant in run.variants:
            began_s = time.monotonic()
            command = run.command(run.amount, seed, variant)
            print(command, flush=True)
            outcome = asyncio.run(run.start(run.amount, seed, variant))
            took_s = time.monotonic() - began_s
            result = "good" if outcome.is_good else "**NOT GOOD**"
            print(f"  {result} after {took_s:.0f} s", flush=True)
            if not outcome.is_good:
                good = False
                print(*(f"{number:8g}  {name}" for number, name in outcome.rows()), sep="\n")
            table += f"| {_title(run, variant)} | {run.amount:g} {run.unit} | {result} |\n"
            parts += _part(run, variant, command, outcome)
    head = _HEAD.format(machine=machine_line(), seed=seed)
    PAGE.write_text(head + table + parts)
    print(f"written: {PAGE}")
    return good


def _title(run: Run, variant: str) -> str:
    return f"{run.name}, {variant}" if variant else run.name


def _part(run: Run, variant: str, command: str, outcome: Outcome) -> str:
    rows = "\n".join(f"| {_digits(number)} | {name} |" for number, name in outcome.rows())
    says = run.says[0].upper() + run.says[1:]
    return _PART.format(title=_title(run, variant), says=says, command=command, rows=rows)


def _digits(number: float) -> str:
    return f"{number:,.3f}".rstrip("0").rstrip(".") if number % 1 else f"{number:,.0f}"
