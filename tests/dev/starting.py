"""`genro-wopi dev` as a process, for starts that are refused or interrupted."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import free_port

COMMAND = (sys.executable, "-m", "genro_wopi.cli.entry", "dev")


@dataclass(frozen=True)
class Refusal:
    """What a start that was refused said."""

    exit_code: int
    said: str
    """On stderr."""
    output: str


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what the tests set for others."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("WOPI_")}
    return {**own, **more}


def refused(folder: Path, *options: str, through: Sequence[str] = (), **variables: str) -> Refusal:
    """Start a cluster that cannot start; its reason is one sentence in one line.

    Args:
        folder: of its data.
        options: further ones.
        through: a command that starts it with fewer rights.
        variables: of its environment.
    """
    ended = subprocess.run(
        [*through, *COMMAND, "--data-dir", str(folder), "--port", str(free_port()), *options],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=environment(**variables),
    )
    assert ended.returncode in (1, 2), ended
    assert "Traceback" not in ended.stdout + ended.stderr
    assert ended.stderr.startswith("genro-wopi: ")
    assert ended.stderr.count("\n") == 1, ended.stderr
    return Refusal(ended.returncode, ended.stderr, ended.stdout)
