"""The image under a real Docker engine: it builds, runs as nobody, writes nothing, and stops.

WOPI_TEST_BASE names the base image; python:3.13-slim where an engine can get it.
"""

import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support import tools

pytestmark = pytest.mark.check

ROOT = Path(__file__).parents[2]
BASE = os.environ.get("WOPI_TEST_BASE", "python:3.13-slim")
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--network", "none")


def docker(*words: str) -> subprocess.CompletedProcess[str]:
    command = [tools.needed("Docker"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture(scope="module")
def image() -> Generator[str]:
    attempts = (("image", "inspect", BASE), ("pull", "--quiet", BASE))
    if not any(docker(*words).returncode == 0 for words in attempts):
        tools.without("Docker")
    name = "genro-wopi-under-test"
    file = ("-f", "deploy/docker/Dockerfile", "-t", name)
    network = ("--network", os.environ.get("WOPI_TEST_BUILD_NETWORK", "default"))
    built = docker("build", "--build-arg", f"BASE={BASE}", *network, *file, ".")
    assert built.returncode == 0, built.stderr
    yield name
    docker("rmi", "--force", name)


@pytest.mark.timeout(600)
def test_the_image_runs_as_nobody_and_writes_nothing(image: str) -> None:
    version = docker("run", "--rm", *HARDENED, image, "--version")
    assert version.stdout.startswith("genro-wopi, version"), version.stderr
    service = docker("run", "--rm", *HARDENED, image, "serve", "wopi-service")
    assert service.returncode == 2
    assert "WOPI_VERIFY_KEYS is not set" in service.stderr
    who = docker("run", "--rm", *HARDENED, "--entrypoint", "id", image, "-u")
    assert who.stdout.strip() == "10001"
    pip = docker("run", "--rm", *HARDENED, "--entrypoint", "python3", image, "-m", "pip")
    assert pip.returncode != 0
