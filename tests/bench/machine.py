"""What a report was made on."""

import os
import platform
import subprocess
from datetime import UTC, datetime


def machine_line() -> str:
    """Return commit, date, processors and Python in one line."""
    today = datetime.now(UTC).date().isoformat()
    processors = len(os.sched_getaffinity(0))
    return (
        f"commit {commit()}, {today}, {processors} processors for everything together,"
        f" Python {platform.python_version()}"
    )


def commit() -> str:
    """Return the short hash of what is checked out, with a plus where it was changed since."""
    found = git("rev-parse", "--short", "HEAD") or "unknown"
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":!docs")
    return f"{found}+" if changed else found


def git(*words: str) -> str:
    """Return what git says; empty where it refuses."""
    done = subprocess.run(
        ["git", *words],  # noqa: S607 - the one on PATH
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() if done.returncode == 0 else ""
