"""The documentation says what is so: links lead somewhere, settings are the real ones."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import tools

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(#[^)]*)?\)")


def test_the_documented_settings_are_the_real_ones() -> None:
    command = [sys.executable, "-m", "genro_wopi.cli.main", "settings"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip() in (ROOT / "docs" / "settings.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_of_the_repositorys_pages_lead_somewhere(name: str) -> None:
    for path, _ in _LINK.findall((ROOT / name).read_text("utf-8")):
        assert "://" in path or (ROOT / path).exists(), path


def build(docs: Path) -> "subprocess.CompletedProcess[str]":
    tools.needed("Sphinx")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    return subprocess.run(
        [*command, str(docs), str(docs.parent / "site")],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """The documentation, beside all that its links to the repository name."""
    copied = tmp_path / "docs"
    shutil.copytree(ROOT / "docs", copied)
    for page in copied.glob("*.md"):
        for path, _ in _LINK.findall(page.read_text("utf-8")):
            if path.startswith("../"):
                place = tmp_path / path.removeprefix("../")
                assert (ROOT / path.removeprefix("../")).exists(), f"{page.name}: {path}"
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
    return copied


@pytest.mark.check
def test_the_site_is_built_without_a_broken_link_and_loads_nothing_from_elsewhere(
    docs: Path,
) -> None:
    done = build(docs)
    assert done.returncode == 0, done.stderr
    front = (docs.parent / "site" / "index.html").read_text("utf-8")
    assert not re.findall(r"(?:src|href)=\"https?://[^\"]*\.(?:css|js|woff2?)", front)


@pytest.mark.check
def test_a_broken_link_stops_the_build(docs: Path) -> None:
    page, links = docs / "events.md", ("nowhere.md", "saving.md#nowhere", "../nowhere.py")
    page.write_text(page.read_text("utf-8") + "".join(f"\n[x]({link})\n" for link in links))
    done = build(docs)
    assert done.returncode != 0
    assert [link for link in links if link.rpartition("#")[2] not in done.stderr] == []
