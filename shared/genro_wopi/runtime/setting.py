"""What a setting is, and which processes read it."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec


class Service(StrEnum):
    """The processes of a cluster."""

    GATEWAY = "gateway"
    SESSION = "session-service"
    WOPI = "wopi-service"
    CALLBACK = "callback-worker"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting."""

    name: str
    """Of the attribute in `Settings`; the variable is ``WOPI_`` and this in upper case."""
    parse: Callable[[str], Any]
    kind: str
    help: str
    example: str
    default: str | None = None
    """As it would be written; None where the setting is required."""
    services: frozenset[Service] = frozenset(Service)
    is_secret: bool = False

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return f"WOPI_{self.name.upper()}"
