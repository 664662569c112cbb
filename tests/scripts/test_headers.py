"""Every Lua script documents the slots that it uses, what it returns, and why it may run twice."""

import re
from importlib.resources import files

import pytest

from genro_wopi.adapters.redis.scripts import Script

FOLDER = files("genro_wopi.adapters.redis").joinpath("scripts")
NAMES = sorted(p.name.removesuffix(".lua") for p in FOLDER.iterdir() if p.name.endswith(".lua"))
SLOT = re.compile(r"(?:KEYS|ARGV)\[\d+\]")


@pytest.mark.parametrize("name", NAMES)
def test_the_header_names_every_slot_that_the_body_uses(name: str) -> None:
    lines = FOLDER.joinpath(f"{name}.lua").read_text("utf-8").splitlines()
    header = "\n".join(line for line in lines if line.startswith("--"))
    body = "\n".join(line for line in lines if not line.startswith("--"))
    assert set(SLOT.findall(body)) <= set(SLOT.findall(header))
    assert "Returns:" in header
    assert "Safe to run twice:" in header


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_short_enough_to_be_read(name: str) -> None:
    lines = FOLDER.joinpath(f"{name}.lua").read_text("utf-8").splitlines()
    assert sum(1 for line in lines if not line.startswith("--")) <= 45


def test_a_call_with_other_slots_never_reaches_redis() -> None:
    with pytest.raises(TypeError):
        Script("unlock").check(1, 1)
