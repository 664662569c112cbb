"""The programs that some tests need and pip does not bring.

A test asks for one by `needed`, or says that it has none by `without`. Then it is skipped, and the
end of the run says so in one line for each program. Where the variable WOPI_TEST_REQUIRE is `all`,
as in CI, every program that `.ci/tools all` installs must be there: its absence is a failure.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest

APACHE_MODULES = Path("/usr/lib/apache2/modules")
CEPH = ("radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "monmaptool")
REQUIRED = os.environ.get("WOPI_TEST_REQUIRE", "")
WANT = "for want of "


@dataclass(frozen=True)
class Tool:
    """A program that may be absent."""

    find: Callable[[], str | None]
    """Return its path."""
    bring: str = ".ci/tools all"
    """What installs it; `WOPI_TEST_REQUIRE=all` requires what `.ci/tools all` does."""


def on_path(*names: str) -> Callable[[], str | None]:
    """Look for a program by its names; Debian keeps some servers where only root looks."""
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
    return lambda: next((p for n in names if (p := shutil.which(n, path=places))), None)


def _apache() -> str | None:
    return on_path("apache2")() if (APACHE_MODULES / "mod_dav_fs.so").exists() else None


def _ceph() -> str | None:
    return shutil.which("radosgw") if all(map(shutil.which, CEPH)) else None


TOOLS = {
    "Apache with mod_dav": Tool(_apache),
    "Ceph with radosgw": Tool(_ceph),
    "Chromium": Tool(on_path("chromium", "chromium-browser", "google-chrome")),
    "Docker": Tool(on_path("docker"), "a Docker engine"),
    "HAProxy": Tool(on_path("haproxy")),
    "LibreOffice": Tool(on_path("soffice")),
    "nginx": Tool(on_path("nginx")),
    "Prometheus": Tool(on_path("prometheus")),
    "promtool": Tool(on_path("promtool")),
    "redis-server": Tool(on_path("redis-server")),
    "root, who may mount a disk": Tool(on_path("mount"), "sudo"),
    "Sphinx": Tool(lambda: "sphinx" if find_spec("sphinx") else None, "make check"),
}


def needed(name: str) -> str:
    """Return the path of a program; without it the test is skipped, or fails where it must be."""
    return TOOLS[name].find() or without(name)


def without(name: str) -> NoReturn:
    """Skip a test for want of a program, or fail where the program must be there."""
    if REQUIRED == "all" and TOOLS[name].bring == ".ci/tools all":
        pytest.fail(f"no {name}, and WOPI_TEST_REQUIRE=all")
    pytest.skip(WANT + name)


def lines(reasons: Iterable[str]) -> list[str]:
    """Say once for each reason how many tests were skipped for it."""
    said: list[str] = []
    for reason, count in sorted(Counter(reasons).items()):
        name = reason.removeprefix(WANT)
        bring = f" ({TOOLS[name].bring} brings it)" if name in TOOLS else ""
        said.append(f"not tested here, {reason}: {count} test{'s' * (count > 1)}{bring}")
    return said
