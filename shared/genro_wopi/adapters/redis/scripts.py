"""Loads the Lua scripts beside this module.

Each script is one file with a header: what it decides, KEYS, ARGV with units, what it returns and
why it is safe to run twice. A line ``-- include: session`` is replaced by the fragment of that
name, so that what scripts share is written once.
"""

import hashlib
import re
from importlib.resources import files
from typing import Final

_INCLUDE: Final = re.compile(r"^-- include: (\w+)$", re.MULTILINE)
_SLOT: Final = re.compile(r"^-- (KEYS|ARGV)\[(\d+)\](\.\.\.)?", re.MULTILINE)


class Script:
    """One script, called by the SHA-1 of its source."""

    def __init__(self, name: str) -> None:
        self.name = name
        folder = files("genro_wopi.adapters.redis").joinpath("scripts")
        text = folder.joinpath(f"{name}.lua").read_text("utf-8")
        slots = _SLOT.findall(text)
        self.key_count = sum(1 for kind, _, _ in slots if kind == "KEYS")
        self.argument_count = sum(1 for kind, _, _ in slots if kind == "ARGV")
        self.is_variadic = any(more for _, _, more in slots)
        self.source = _INCLUDE.sub(
            lambda m: folder.joinpath("fragments", f"{m[1]}.lua").read_text("utf-8"), text
        )
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def check(self, key_count: int, argument_count: int) -> None:
        """Refuse a call that does not fit the header, before it reaches Redis."""
        enough = argument_count >= self.argument_count - 1 and self.is_variadic
        if key_count != self.key_count or (argument_count != self.argument_count and not enough):
            raise TypeError(
                f"{self.name}.lua takes {self.key_count} keys and {self.argument_count} arguments,"
                f" not {key_count} and {argument_count}"
            )
