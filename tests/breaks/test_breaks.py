"""Each break is noticed by each harness that should, for the reason that it was broken for."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.breaks.breaks import BREAKS, Break
from tests.breaks.tree import copy_tree, environment_of
from tests.support import tools

pytestmark = pytest.mark.check

TIMEOUT_S = 200
BEHIND_NGINX = "tests.chaos editing"
CHAOS_RUNS = 3
"""A few seconds of chaos may miss the moment at which a break matters."""


def cases() -> Iterator[tuple[Break, str]]:
    for broken in BREAKS:
        for words in broken.caught_by:
            yield broken, words


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of all that runs."""
    copy_tree(tmp_path)
    return tmp_path


@pytest.mark.timeout(CHAOS_RUNS * TIMEOUT_S + 30)
@pytest.mark.parametrize(
    ("broken", "words"), [pytest.param(b, w, id=f"{b.name}: {w}") for b, w in cases()]
)
def test_a_break_is_noticed(tree: Path, broken: Break, words: str) -> None:
    if words.startswith(BEHIND_NGINX):
        tools.needed("nginx")
    file = tree / broken.file
    text = file.read_text()
    assert text.count(broken.old) == 1, "the code has changed; say anew how it is broken"
    file.write_text(text.replace(broken.old, broken.new))
    runs = CHAOS_RUNS if words.startswith(("tests.chaos", "tests.hostile")) else 1
    complaints = (said for said in (complaint(tree, words) for _ in range(runs)) if said)
    noticed = next(complaints, None)
    assert noticed is not None, "not noticed"
    assert broken.caught_by[words] in noticed, noticed[-4000:]


def complaint(tree: Path, words: str) -> str:
    """Run a harness on a tree; return what it says where it fails, nothing where all is well."""
    module, *arguments = words.split()
    if module == "pytest":
        quick = () if "-m" in arguments else ("-m", "not check")
        plain = ("-p", "no:cacheprovider", "-p", "no:randomly")
        arguments = ["-q", "-x", *plain, *arguments, *quick]
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=tree,
        env=environment_of(tree),
        capture_output=True,
        check=False,
        text=True,
        timeout=TIMEOUT_S,
    )
    return done.stdout + done.stderr if done.returncode else ""
