"""The compose file and the image: what they name exists."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from genro_wopi.adapters.new_keys import new_encryption_key, new_signing_key, verify_keys
from genro_wopi.runtime.setting_loading import load_settings
from genro_wopi.runtime.settings import SETTINGS, Service

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
_VARIABLE = re.compile(r"\$\{(\w+):([-?])([^}]*)\}")


def filled(text: str, values: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda m: values.get(m[1]) or (m[3] if m[2] == "-" else ""), text)


def test_every_service_can_start_with_the_settings_of_the_file() -> None:
    signing = new_signing_key()
    values = {
        "WOPI_ADMIN_TOKEN": "a" * 32,
        "WOPI_INTERNAL_TOKEN": "i" * 32,
        "WOPI_ENCRYPTION_KEYS": new_encryption_key(),
        "WOPI_SIGNING_KEYS": signing,
        "WOPI_VERIFY_KEYS": verify_keys(signing),
    }
    known = {setting.variable for setting in SETTINGS}
    for service in Service:
        entry = COMPOSE["services"][service.value]
        assert entry["command"] == ["serve", service.value]
        assert entry["read_only"] is True
        assert entry["cap_drop"] == ["ALL"]
        environment = {k: filled(v, values) for k, v in entry["environment"].items()}
        assert set(environment) <= known
        load_settings(environment, service)


def test_every_variable_that_must_be_set_is_in_the_example() -> None:
    text = (ROOT / "deploy" / "compose.yaml").read_text("utf-8")
    required = {m[1] for m in _VARIABLE.finditer(text) if m[2] == "?"}
    example = (ROOT / "deploy" / "compose.env.example").read_text("utf-8")
    assert required == set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_the_image_installs_extras_that_exist_and_runs_as_nobody() -> None:
    dockerfile = (ROOT / "deploy" / "docker" / "Dockerfile").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = re.search(r"'\.\[([\w,-]+)\]'", dockerfile)
    assert extras is not None
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])
    assert {service.value for service in Service} <= set(extras[1].split(","))
    last = dockerfile.rpartition("FROM ")[2]
    assert "USER 10001:10001" in last
    assert f"ARG VERSION={project['version']}" in last
