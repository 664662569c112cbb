"""The changes that cosmic-ray plans, and what became of them: its session is an SQLite database."""

import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path

SESSION = "mutants"
"""Its file, beside what is changed."""

_ALL = "SELECT job_id, module_path, start_pos_row, operator_name FROM mutation_specs"
_SURVIVED = (
    "SELECT m.module_path, m.start_pos_row, r.diff FROM mutation_specs m"
    " JOIN work_results r ON m.job_id = r.job_id WHERE r.test_outcome = 'SURVIVED' ORDER BY 1, 2"
)
_COUNTED = (
    "SELECT test_outcome, count(*) FROM work_results WHERE test_outcome IS NOT NULL GROUP BY 1"
)


def leave_out(tree: Path, negations: Collection[str]) -> None:
    """Forget changes to the kind of a type, and those that negate a condition a second time.

    Args:
        tree: what is changed; its session is beside it.
        negations: operators that do to a single comparison what ``core/AddNot`` does, too.
    """
    with closing(sqlite3.connect(tree / SESSION)) as database, database:
        places: list[tuple[str, str, int, str]] = database.execute(_ALL).fetchall()
        negated = {(module, row) for _, module, row, how in places if how == "core/AddNot"}
        for job, module, row, how in places:
            line = (tree / module).read_text().splitlines()[row - 1]
            is_single = " and " not in line and " or " not in line
            is_twice = how in negations and is_single and (module, row) in negated
            if is_twice or "msgspec.Struct" in line:
                _forget(database, job)


def keep_share(session: Path, number: int, of: int) -> None:
    """Keep one in so many changes, beginning with that number."""
    with closing(sqlite3.connect(session)) as database, database:
        left = (
            "SELECT m.job_id FROM mutation_specs m LEFT JOIN work_results r ON m.job_id = r.job_id"
        )
        jobs = database.execute(f"{left} WHERE r.job_id IS NULL ORDER BY m.rowid").fetchall()
        for index, (job,) in enumerate(jobs):
            if index % of != number:
                _forget(database, str(job))


def found(sessions: Sequence[Path]) -> tuple[Counter[str], list[str]]:
    """Return how many changes were noticed or survived, and each that survived in words."""
    counts, survivors = Counter[str](), list[str]()
    for session in sessions:
        with closing(sqlite3.connect(session)) as database:
            counts.update(dict(database.execute(_COUNTED).fetchall()))
            rows: list[tuple[str, int, str]] = database.execute(_SURVIVED).fetchall()
        survivors += [f"{module}:{row}  {_change(diff)}" for module, row, diff in rows]
    return counts, sorted(survivors)


def _forget(database: sqlite3.Connection, job: str) -> None:
    for table in ("mutation_specs", "work_results", "work_items"):
        database.execute(f"DELETE FROM {table} WHERE job_id = ?", (job,))  # noqa: S608 - ours


def _change(diff: str) -> str:
    lines = [
        line[1:].strip()
        for line in diff.splitlines()
        if line[:1] in {"+", "-"} and not line.startswith(("+++", "---"))
    ]
    return "  =>  ".join(lines)
