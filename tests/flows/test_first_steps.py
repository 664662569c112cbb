"""The transcript in docs/first-steps.md is what a new operator really sees.

WOPI_WRITE_DOCS=1 writes it anew.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cluster import running_cluster

pytestmark = [pytest.mark.flow, pytest.mark.check]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "first-steps.md"
SECONDS_MAX = 300

_BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^\$ (.*)$", re.MULTILINE)

_VOLATILE = [
    (re.compile(r"(127\.0\.0\.1):(?!9000\b)\d{5}((?:/\S*)?)(  )"), r"\1:8080\2 \3"),
    (re.compile(r"127\.0\.0\.1(:|%3A)(?!9000\b)\d+"), r"127.0.0.1\g<1>8080"),
    (re.compile(r"gwk_[\w.-]+"), "gwk_acme.…"),
    (re.compile(r"eyJ[\w.-]+"), "eyJ…"),
    (re.compile(r"/open/[\w-]{20,}"), "/open/Wq3…"),
    (re.compile(r"(?:(?<=%2F)|\b)[0-9a-f]{2}[\w-]{22}(?![\w-])"), "0aT3xQ9mBvW8kLr2NcYzEhSg"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "2026-11-25 10:30:00"),
    (re.compile(r"\b1\d{12}\b"), "1795604400000"),
    (re.compile(r"\b1\d{15}\b"), "1795604400000000"),
    (re.compile(r"\d+ MiB are free"), "78851 MiB are free"),
    (re.compile(r"\b1\.[0-9a-f]{12}\b"), "1.5f3c2a9b7d41"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "9f86d081884c7d65…"),
    (re.compile(r"(size +)\d+"), r"\g<1>5211"),
    (re.compile(r"(offer\.md +no +)\d+"), r"\g<1>5211"),
    (re.compile(r" +$", re.MULTILINE), ""),
]


def plain(text: str, folder: Path, home: Path) -> str:
    """Write what differs from run to run as it stands in the page."""
    text = text.replace(str(home), "/home/you").replace(str(folder.resolve()), "/srv/genro-wopi")
    text = text.replace(str(folder), "/srv/genro-wopi")
    for pattern, replacement in _VOLATILE:
        text = pattern.sub(replacement, text)
    return text


def test_the_transcript_is_what_is_seen(tmp_path: Path) -> None:
    page, began_s = PAGE.read_text("utf-8"), time.monotonic()
    (tmp_path / "README.md").write_bytes((ROOT / "README.md").read_bytes())
    (tmp_path / "home").mkdir()
    with running_cluster(tmp_path) as cluster:
        (tmp_path / ".dev").symlink_to(cluster.data_dir)
        seen = _BLOCK.sub(lambda block: carried_out(block[0], tmp_path), page)
    assert time.monotonic() - began_s < SECONDS_MAX
    if os.environ.get("WOPI_WRITE_DOCS"):
        PAGE.write_text(seen, "utf-8")
        return
    assert page == seen


def carried_out(block: str, folder: Path) -> str:
    """Run the commands of a block and return it with what they print."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
    }
    shown: list[str] = []
    for command in _COMMAND.findall(block):
        ran = subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode in {0, 1}, ran
        assert "Traceback" not in ran.stderr, ran
        shown.append(f"$ {command}\n{ran.stdout}{ran.stderr}".rstrip())
    text = plain("\n\n".join(shown), folder / ".dev", folder / "home")
    return text.replace(str(folder), "/srv/genro-wopi") + "\n"
