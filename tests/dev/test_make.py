"""`make install` and `make run`: which Python, and what an interrupted set-up leaves behind.

The Makefile and its script are the real ones, pip and the virtual environment too; the project that
they install is small, and needs no package index.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import until

MAKE = shutil.which("make") or ""

pytestmark = [pytest.mark.skipif(not MAKE, reason="needs make"), pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "genro-wopi"
version = "1"
[project.optional-dependencies]
local = []
"""
BACKEND = """
import os, pathlib, time, zipfile
NAME, INFO = "genro_wopi-1-py3-none-any.whl", "genro_wopi-1.dist-info"
def build_editable(folder, config_settings=None, metadata_directory=None):
    pathlib.Path(os.environ["BUILDING"]).touch()
    while os.path.exists(os.environ["HELD"]):
        time.sleep(0.01)
    with zipfile.ZipFile(os.path.join(folder, NAME), "w") as wheel:
        wheel.writestr("answer.py", "def main(): print('started')")
        wheel.writestr(f"{INFO}/METADATA", "Metadata-Version: 2.1\\nName: genro-wopi\\n"
                       "Version: 1\\nProvides-Extra: local\\n")
        wheel.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n"
                       "Tag: py3-none-any\\n")
        wheel.writestr(f"{INFO}/entry_points.txt", "[console_scripts]\\n"
                       "genro-wopi = answer:main\\n")
        wheel.writestr(f"{INFO}/RECORD", "")
    return NAME
"""
REFUSED = 2
OLD = (
    "import sys, collections\n"
    "sys.version_info = collections.namedtuple('V', 'major minor micro')(3, 10, 13)\n"
    "exec(sys.argv[1])\n"
)


class Checkout:
    """A source tree with the real Makefile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.held = folder / "held"
        self.building = folder / "building"
        self.venv = folder / ".venv"
        (folder / ".ci").mkdir()
        shutil.copy(ROOT / "Makefile", folder)
        shutil.copy(ROOT / ".ci" / "venv", folder / ".ci")
        (folder / "pyproject.toml").write_text(PROJECT)
        (folder / "backend.py").write_text(BACKEND)
        (folder / "constraints.txt").touch()

    def begin(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        own = {
            k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "PYTHON", "MFLAGS"))
        }
        places = {"HELD": str(self.held), "BUILDING": str(self.building)}
        python = [] if "PATH" in variables else [f"PYTHON={sys.executable}"]
        return subprocess.Popen(
            [MAKE, "BUILD_WITH=", *python, *words],
            cwd=self.folder,
            env={**own, **places, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def make(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        process = self.begin(*words, **variables)
        output, errors = process.communicate(timeout=100)
        return subprocess.CompletedProcess(words, process.returncode, output, errors)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def program(file: Path, *lines: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    file.chmod(0o755)
    return file


def old_python(file: Path) -> Path:
    return program(file, f'exec {sys.executable} -c "$(cat <<\'EOF\'\n{OLD}EOF\n)" "$2"')


def refusals(ended: subprocess.CompletedProcess[str]) -> list[str]:
    assert ended.returncode == REFUSED
    lines = ended.stderr.splitlines()
    assert lines[-1].startswith("make: ***")
    return lines[:-1]


@pytest.mark.parametrize("target", ["install", "run"])
def test_a_python_that_is_too_old_is_one_clear_line(checkout: Checkout, target: str) -> None:
    python = old_python(checkout.folder / "python3.10")
    (line,) = refusals(checkout.make(target, f"PYTHON={python}"))
    assert f"Python 3.11 or newer is needed, and {python} is 3.10" in line
    assert not checkout.venv.exists()


def test_a_python_that_is_not_there_is_one_clear_line(checkout: Checkout) -> None:
    (line,) = refusals(checkout.make("run", "PYTHON=/nowhere/python3"))
    assert "/nowhere/python3 does not run; set PYTHON=" in line


def test_a_python_without_venv_is_one_clear_line(checkout: Checkout) -> None:
    """As Debian's is without python3-venv."""
    (checkout.folder / "without" / "ensurepip").mkdir(parents=True)
    missing = checkout.folder / "without" / "ensurepip" / "__init__.py"
    missing.write_text("raise ImportError")
    without = f"PYTHONPATH={missing.parents[1]}"
    python = program(checkout.folder / "python3", f'{without} exec {sys.executable} "$@"')
    (line,) = refusals(checkout.make("run", f"PYTHON={python}"))
    assert "has no venv" in line
    assert "apt install python3." in line
    assert not checkout.venv.exists()


@pytest.mark.check
def test_an_environment_is_made_once_and_again_when_it_does_not_work(checkout: Checkout) -> None:
    old_python(checkout.venv / "bin" / "python")  # Half made, or by a Python that was replaced.
    old_python(checkout.venv / "bin" / "genro-wopi")
    (checkout.venv / ".making").touch()
    (checkout.venv / ".installed").touch()
    assert checkout.make("run").stdout.endswith("started\n")

    checkout.building.unlink()
    others = old_python(checkout.folder / "bin" / "python3").parent
    assert checkout.make("run").stdout == "started\n"
    assert checkout.make("run", PATH=f"{others}:{os.environ['PATH']}").stdout == "started\n"
    assert not checkout.building.exists()

    python = checkout.venv / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert checkout.make("run").stdout.endswith("started\n")
    assert checkout.building.exists()

    mark = checkout.venv / "kept"
    mark.touch()
    (checkout.folder / "backend.py").write_text("")
    (checkout.folder / "pyproject.toml").touch()
    assert checkout.make("run").returncode == REFUSED
    (checkout.folder / "backend.py").write_text(BACKEND)
    assert checkout.make("run").stdout.endswith("started\n")
    assert mark.exists()


@pytest.mark.check
def test_an_environment_that_somebody_made_is_used_and_never_removed(checkout: Checkout) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(checkout.venv)], check=True)
    (checkout.venv / "theirs").touch()
    assert checkout.make("run").stdout.endswith("started\n")
    assert checkout.make("run").stdout == "started\n"
    python = checkout.venv / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    (line,) = refusals(checkout.make("run"))
    assert "is not of make's making" in line
    assert (checkout.venv / "theirs").exists()


def test_a_folder_that_is_no_environment_is_not_removed(checkout: Checkout) -> None:
    checkout.venv.mkdir()
    (checkout.venv / "theirs").touch()
    (line,) = refusals(checkout.make("run"))
    assert "remove it, or set VENV=another" in line
    assert (checkout.venv / "theirs").exists()


@pytest.mark.check
def test_ctrl_c_while_pip_installs_leaves_nothing_broken(checkout: Checkout) -> None:
    checkout.held.touch()
    process = checkout.begin("run")
    until(checkout.building.exists, timeout_s=60)
    os.killpg(process.pid, signal.SIGINT)  # As a terminal does.
    process.communicate(timeout=30)
    assert process.returncode != 0
    checkout.held.unlink()
    assert not (checkout.venv / ".installed").exists()
    assert checkout.make("run").stdout.endswith("started\n")
    assert not (checkout.venv / ".installing").exists()
