"""The command line as its users run it: a process with its own environment."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class CommandLine:
    """Runs `genro-wopi` in a folder of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def __call__(self, *words: str, stdin: str = "", **environment: str) -> Ran:
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "COLUMNS": "200",
            "LANG": "C.UTF-8",
        }
        done = subprocess.run(
            [sys.executable, "-m", "genro_wopi.cli.main", *words],
            check=False,
            cwd=self.folder,
            env=own | self.environment | environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Ran(done.returncode, done.stdout, done.stderr)
