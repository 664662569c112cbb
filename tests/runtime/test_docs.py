"""docs/settings.md is what `genro-wopi settings` says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_documented_settings_are_the_real_ones() -> None:
    command = [sys.executable, "-m", "genro_wopi.cli.main", "settings"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip() in (ROOT / "docs" / "settings.md").read_text("utf-8")
