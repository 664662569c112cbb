"""Runs with several seeds, and what they found as a section of a page of the documentation."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tests.bench import pages
from tests.bench.machine import machine_line
from tests.hostile.run import Outcome, attack

PAGE = Path("docs/security.md")
TITLE = "Attacked on purpose"

_PART = """## {title}

Made by `make hostile`; `make hostile ARGS="{seconds:g} {seed}"` does one run again. A tenant edits
in every back end while others, who own what an attacker can own, call every operation of the API
and of WOPI with each other's ids, forge what lies in their storages, and answer oddly as editor,
store and application. Its bytes, names and ids may show up in no answer, its documents change by
nobody else, no process end, no answer be an unexpected error, and its CheckFileInfo stay quick.
*Done at {made}.*

{results}

| {heads} | |
|{rules}---|
{rows}
"""


def report(seconds: float, seeds: Sequence[int]) -> bool:
    """Do a run for each seed and put them into the page; tell whether nothing was found."""
    outcomes: dict[int, Outcome] = {}
    for seed in seeds:
        print(f"{seconds:g} s, seed {seed}", flush=True)
        outcomes[seed] = asyncio.run(attack(seconds, seed))
        print(*outcomes[seed].record.lines(), sep="\n", flush=True)
        head, sections = PAGE.read_text().partition("\n## ")[0], pages.sections(PAGE)
        pages.write(PAGE, head.rstrip("\n") + "\n", sections | {TITLE: _part(seconds, outcomes)})
    print(f"written: {PAGE}")
    return all(outcome.is_good for outcome in outcomes.values())


def _part(seconds: float, outcomes: dict[int, Outcome]) -> str:
    seeds = list(outcomes)
    names = list(dict.fromkeys(name for o in outcomes.values() for _, name in o.rows()))
    by_name = [{name: number for number, name in o.rows()} for o in outcomes.values()]
    rows = [
        "".join(f"| {found.get(name, 0):,g} " for found in by_name) + f"| {name} |"
        for name in names
    ]
    return _PART.format(
        title=TITLE,
        seconds=seconds,
        seed=seeds[0],
        made=machine_line(),
        results="\n".join(_result(seconds, seed, o) for seed, o in outcomes.items()),
        heads=" | ".join(f"seed {seed}" for seed in seeds),
        rules="---:|" * len(seeds),
        rows="\n".join(rows),
    )


def _result(seconds: float, seed: int, outcome: Outcome) -> str:
    found = dict.fromkeys(f.what for f in outcome.record.findings)
    said = "nothing found" if outcome.is_good else "FOUND: " + "; ".join(found)
    return f"- {seconds:g} s with seed {seed}: {said}."
