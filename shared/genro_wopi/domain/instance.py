"""The installation as a whole: its name, and whether its operator has suspended it.

Suspended means that nothing new is opened. What is open goes on: a save is never refused for it.
"""

from typing import Protocol

import msgspec


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One installation."""

    name: str = "genro-wopi"
    suspended: bool = False
    reason: str = ""
    """What people are told while it is suspended."""


class InstanceStore(Protocol):
    """Where the installation's record is kept."""

    async def get(self) -> Instance:
        """Return the record; the default where none was written."""
        ...

    async def put(self, instance: Instance) -> None:
        """Replace the record."""
        ...

    async def redis_version(self) -> str:
        """Return the version of the Redis that everything is kept in."""
        ...
