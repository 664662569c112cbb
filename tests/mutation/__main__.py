"""Changes the code that decides on saves, locks, tokens and tenants, one place at a time.

    python -m tests.mutation [saves] [locks] [tokens] [tenancy]

Each changed copy is tested by the quick tests of its part, and where these notice nothing by the
thorough ones. What survives is printed; `docs/mutation.md` explains each. The scripts in Lua are
changed by hand instead (`tests/breaks`).
"""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.breaks.tree import copy_tree, environment_of
from tests.mutation.session import SESSION, found, keep_share, leave_out

TIMEOUT_S = 400
"""Above what quick and thorough tests take together: what takes longer counts as noticed."""

AT_ONCE = 4
"""Copies that are changed and tested beside each other: most tests wait for most of their time."""

CONFIGURATION = "mutation.toml"
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
        " tests/services/test_reconcile.py tests/services/test_failover.py"
        " tests/services/test_faulty_storage.py tests/model"
        " -k 'not obvious'",
        "tests/emulators tests/services/test_upkeep.py tests/adapters/test_moves.py"
        " tests/flows/test_editing.py tests/flows/test_files.py -k 'not webdav and not cluster'",
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
        "tests/services/test_traded.py tests/fuzz/test_tenants.py tests/flows/test_containers.py"
        " -k 'not s3'",
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
    """Change each place of a part in copies, several at once; print what survived."""
    trees = [folder / str(number) for number in range(AT_ONCE)]
    for tree in trees:
        tree.mkdir()
        copy_tree(tree)
        (tree / CONFIGURATION).write_text(_configuration(part))
    _do(trees[0], "cosmic-ray", "init", CONFIGURATION, SESSION).wait()
    _do(trees[0], "cr-filter-operators", SESSION, CONFIGURATION).wait()
    leave_out(trees[0], NEGATIONS)
    for tree in trees[1:]:
        shutil.copy(trees[0] / SESSION, tree / SESSION)
    for number, tree in enumerate(trees):
        keep_share(tree / SESSION, number, AT_ONCE)
    running = [_do(tree, "cosmic-ray", "exec", CONFIGURATION, SESSION) for tree in trees]
    failed = [process.wait() for process in running]
    counts, survivors = found([tree / SESSION for tree in trees])
    print(f"{name}: {dict(counts)}{' INCOMPLETE' if any(failed) else ''}", flush=True)
    for survivor in survivors:
        print(f"  {survivor}", flush=True)


def _do(tree: Path, program: str, *words: str) -> "subprocess.Popen[bytes]":
    path = Path(sys.executable).with_name(program)
    environment = environment_of(tree) | {"WOPI_MODEL_RUNS": "100"}
    return subprocess.Popen([path, *words], cwd=tree, env=environment)


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


if __name__ == "__main__":
    sys.exit(main())
