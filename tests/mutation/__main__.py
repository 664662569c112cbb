"""Changes the code that decides on saves, locks, tokens and tenants, one place at a time.

    python -m tests.mutation [saves] [locks] [tokens] [tenancy]

Each changed copy is tested by the quick tests of its part, and where these notice nothing by the
thorough ones. What survives is printed; `docs/mutation.md` explains each. The scripts in Lua are
changed by hand instead (`tests/breaks`).
"""

import json
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.breaks.tree import copy_tree, environment_of

TIMEOUT_S = 400
"""Above what quick and thorough tests take together: what takes longer counts as noticed."""

LEFT_OUT = (
    "core/NumberReplacer",  # Limits and pauses: another number is another choice, not a fault.
    "core/ReplaceBinaryOperator_.*",  # Mostly the marks of types and of keyword arguments.
    "core/ReplaceComparisonOperator_(Eq|NotEq)_(Is|IsNot|Lt|LtE|Gt|GtE)",
    "core/ReplaceComparisonOperator_(Is|IsNot)_(Eq|NotEq|Lt|LtE|Gt|GtE)",
    "core/ReplaceComparisonOperator_(Lt|LtE|Gt|GtE)_(Eq|NotEq|Is|IsNot)",
)

NEGATIONS = frozenset(
    f"core/ReplaceComparisonOperator_{change}"
    for change in ("Is_IsNot", "IsNot_Is", "Eq_NotEq", "NotEq_Eq")
)


@dataclass(frozen=True)
class Part:
    """Modules that are changed, and what tests them."""

    modules: tuple[str, ...]
    quick: str
    thorough: str


WOPI = "services/genro_wopi/wopi_service/operations"
PARTS = {
    "saves": Part(
        ("shared/genro_wopi/domain/commit.py", "shared/genro_wopi/domain/judgement.py"),
        "tests/domain/test_judge.py tests/services/test_late_saves.py"
        " tests/services/test_reconcile.py tests/services/test_failover.py tests/model"
        " -k 'not obvious'",
        "tests/emulators tests/services tests/adapters/test_moves.py tests/flows/test_editing.py"
        " -k 'not s3 and not webdav and not cluster'",
    ),
    "locks": Part(
        (
            "shared/genro_wopi/domain/locks.py",
            "shared/genro_wopi/adapters/redis/lock_store.py",
            f"{WOPI}/locks.py",
        ),
        "tests/scripts/test_locks.py tests/services/test_lock_repeats.py tests/services"
        " -k 'not cluster and not valkey'",
        "tests/scripts tests/flows/test_editing.py tests/conformance -k 'not s3 and not webdav'",
    ),
    "tokens": Part(
        ("shared/genro_wopi/adapters/tokens.py",),
        "tests/adapters/test_tokens.py tests/fuzz/test_parsers.py",
        "tests/flows/test_keys.py tests/flows/test_options.py",
    ),
    "tenancy": Part(
        (
            "shared/genro_wopi/domain/callers.py",
            "services/genro_wopi/gateway/operations/authenticate.py",
            f"{WOPI}/admission.py",
        ),
        "tests/fuzz/test_tenants.py tests/flows/test_containers.py -k 'not s3'",
        "tests/flows/test_every_operation.py tests/flows/test_keys.py"
        " tests/flows/test_management.py tests/services",
    ),
}


def main() -> int:
    names = sys.argv[1:] or list(PARTS)
    if any(name not in PARTS for name in names):
        print(__doc__)
        return 2
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            run(name, PARTS[name], Path(folder))
    return 0


def run(name: str, part: Part, folder: Path) -> None:
    """Change each place of a part in a copy; print what survived."""
    copy_tree(folder)
    (folder / "mutation.toml").write_text(_configuration(part))
    environment = environment_of(folder) | {"WOPI_MODEL_RUNS": "100"}

    def do(*words: str) -> None:
        program = Path(sys.executable).with_name(words[0])
        subprocess.run([program, *words[1:]], cwd=folder, env=environment, check=True)

    do("cosmic-ray", "init", "mutation.toml", "mutants")
    do("cr-filter-operators", "mutants", "mutation.toml")
    _leave_out(folder)
    do("cosmic-ray", "exec", "mutation.toml", "mutants")
    _show(name, folder / "mutants")


def _leave_out(folder: Path) -> None:
    """Forget changes to the kind of a type, and those that negate a condition a second time."""
    with sqlite3.connect(folder / "mutants") as database:
        places: list[tuple[str, str, int, str]] = database.execute(
            "SELECT job_id, module_path, start_pos_row, operator_name FROM mutation_specs"
        ).fetchall()
        negated = {(module, row) for _, module, row, how in places if how == "core/AddNot"}
        for job, module, row, how in places:
            line = (folder / module).read_text().splitlines()[row - 1]
            is_single = " and " not in line and " or " not in line
            is_twice = how in NEGATIONS and is_single and (module, row) in negated
            if is_twice or "msgspec.Struct" in line:
                database.execute("DELETE FROM mutation_specs WHERE job_id = ?", (job,))
                database.execute("DELETE FROM work_results WHERE job_id = ?", (job,))
                database.execute("DELETE FROM work_items WHERE job_id = ?", (job,))


def _configuration(part: Part) -> str:
    pytest = f"{sys.executable} -m pytest -x -q -p no:cacheprovider -p no:randomly"
    command = f'bash -c "{pytest} {part.quick} && {pytest} {part.thorough}"'
    return (
        "[cosmic-ray]\n"
        f"module-path = {json.dumps(part.modules)}\n"
        f"timeout = {TIMEOUT_S}.0\n"
        "excluded-modules = []\n"
        f"test-command = {json.dumps(command)}\n"
        '[cosmic-ray.distributor]\nname = "local"\n'
        "[cosmic-ray.filters.operators-filter]\n"
        f"exclude-operators = {json.dumps(LEFT_OUT)}\n"
    )


def _show(name: str, session: Path) -> None:
    with sqlite3.connect(session) as database:
        outcomes = dict(
            database.execute(
                "SELECT test_outcome, count(*) FROM work_results"
                " WHERE test_outcome IS NOT NULL GROUP BY 1"
            )
        )
        survivors = database.execute(
            "SELECT m.module_path, m.start_pos_row, r.diff FROM mutation_specs m"
            " JOIN work_results r ON m.job_id = r.job_id"
            " WHERE r.test_outcome = 'SURVIVED' ORDER BY 1, 2"
        ).fetchall()
    print(f"{name}: {outcomes}", flush=True)
    for module, row, diff in survivors:
        changed = [
            line[1:].strip()
            for line in str(diff).splitlines()
            if line[:1] in {"+", "-"} and not line.startswith(("+++", "---"))
        ]
        print(f"  {module}:{row}  {'  =>  '.join(changed)}")


if __name__ == "__main__":
    sys.exit(main())
