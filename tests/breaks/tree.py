"""A copy of all that runs, to be changed."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("services", "shared", "tests", "deploy", "pyproject.toml")
SOURCES = ("services", "shared", "deploy", ".")


def copy_tree(folder: Path) -> None:
    """Copy all that runs into a folder."""
    ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)


def environment_of(folder: Path) -> dict[str, str]:
    """Return the variables with which Python finds a copy before what is installed."""
    places = os.pathsep.join(str(folder / name) for name in SOURCES)
    return {**os.environ, "PYTHONPATH": places, "WOPI_TEST_PROFILE": "breaks"}
