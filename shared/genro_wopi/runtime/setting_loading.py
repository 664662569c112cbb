"""Reads the settings of one process.

A setting comes from the environment (``WOPI_X``) or from a file that ``WOPI_X_FILE`` names. All
problems are reported at once, each with the variable's name and an example.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from genro_wopi.domain.secrets import Secret
from genro_wopi.runtime.settings import SETTINGS, Service, Setting, Settings


class ConfigurationError(Exception):
    """The settings cannot be used; `problems` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load_settings(environment: Mapping[str, str], service: Service) -> Settings:
    """Read the settings of one process.

    Raises:
        ConfigurationError: required ones are missing or some cannot be read; all of them at once.
    """
    values: dict[str, Any] = {"service": service}
    problems: list[str] = []
    for setting in SETTINGS:
        is_used = service in setting.services
        try:
            text = _text(environment, setting) if is_used else None
            if text is None and is_used and setting.default is None:
                problems.append(_problem(setting, "is not set"))
            values[setting.name] = _value(setting, text)
        except (ValueError, OSError) as error:
            problems.append(_problem(setting, f"cannot be used: {error}"))
    if problems:
        raise ConfigurationError(problems)
    if not values["src_url"]:
        values["src_url"] = values["public_url"]
    return Settings(**values)


def _text(environment: Mapping[str, str], setting: Setting) -> str | None:
    file = environment.get(f"{setting.variable}_FILE")
    if file:
        return Path(file).read_text("utf-8").strip()
    return environment.get(setting.variable) or None


def _value(setting: Setting, text: str | None) -> object:
    if text is not None:
        return setting.parse(text)
    if setting.default is not None:
        return setting.parse(setting.default)
    return _UNUSED.get(setting.name, "")


_UNUSED: Final[dict[str, object]] = {
    "admin_token": Secret(""),
    "internal_token": Secret(""),
    "signing_keys": (),
    "verify_keys": (),
}
"""What a process sees of settings that are not its own."""


def _problem(setting: Setting, what: str) -> str:
    return f"{setting.variable} {what}. Example: {setting.variable}={setting.example}"
