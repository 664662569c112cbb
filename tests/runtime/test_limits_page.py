"""`docs/limits.md` says what the code does."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
ROWS = re.findall(
    r"^\| (.+?) \| ([0-9.]+) \| `([\w.]+):([\w.]+)` \|$", PAGE.read_text(), re.MULTILINE
)


def test_the_page_has_rows() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize(("what", "value", "module", "name"), ROWS, ids=lambda v: str(v)[:30])
def test_a_limit_is_the_one_of_the_code(what: str, value: str, module: str, name: str) -> None:
    found: Any = importlib.import_module(f"genro_wopi.{module}")
    for part in name.split("."):
        found = getattr(found, part)
    assert float(value) == found, what
