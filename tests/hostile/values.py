"""Values that attackers send: what they and others were given, and what nobody should send."""

import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, cast

KNOWN_MAX = 60
"""Of one name; the oldest give way."""

LEAVES_MAX = 400
"""Values learned from one answer."""

ODD: tuple[str, ...] = (
    "",
    "..",
    "../..",
    "../../../../../../etc",
    "/etc/passwd",
    "a/../../b",
    ".genro-wopi",
    ".GENRO-WOPI/recovery",
    ".genro-wopi/history",
    "\u00b2",
    "\u0663\u0663",
    "-1",
    "0",
    "9" * 40,
    "1e999",
    "NaN",
    "\x00",
    "\x1b[2J\x07",
    "a\r\nSet-Cookie: x=y",
    "\u202egpj.exe",
    "\ud800",
    "%2e%2e%2f",
    "..%2f..%2f",
    "+AC4ALgAv-",
    "null",
    "[]",
    "{}",
    "*",
    "a" * 5_000,
    "/" * 300,
    "x/" * 200 + "x",
    "wopi:{t}:*",
    "'; script-src *; '",
    "<script>alert(1)</script>",
    "1767225600000-0",
    "9" * 15 + "-" + "9" * 15,
    "20260101T103000123456-0aT3xQ9mBvW8",
    '{"phase":"files","folders":["../../../etc"]}',
    '{"phase":"files","folders":[]}',
    '{"phase":"registry","cursor":"\u00b2"}',
    '{"phase":"recovery","cursor":"../"}',
    "http://" + "a" * 70 + ".example/",
    "http://[::1/",
    "javascript:alert(1)",
    "file:///etc/passwd",
)
ODD_KINDS: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**63,
    2**70,
    1e308,
    [],
    {},
    [[]],
    {"a": {"b": []}},
)


@dataclass
class Pool:
    """Values by the names of the fields in which they were seen."""

    known: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def learn(self, name: str, value: str) -> None:
        """Keep a value for later."""
        values = self.known[name]
        if value and value not in values and len(value) < 4_000:
            values.append(value)
            del values[:-KNOWN_MAX]

    def harvest(self, body: bytes) -> None:
        """Keep what an answer holds."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            return
        left = [("", found)]
        for _ in range(LEAVES_MAX):
            if not left:
                return
            name, value = left.pop()
            if isinstance(value, dict):
                left += cast("dict[str, Any]", value).items()
            elif isinstance(value, list):
                left += [(name, item) for item in cast("list[Any]", value)[:20]]
            elif isinstance(value, str):
                self.learn("cursor" if name == "next_cursor" else name, value)

    def draw(self, chance: random.Random, name: str) -> str | None:
        """Return a known value of a name; None where there is none."""
        values = self.known.get(name)
        return chance.choice(values) if values else None

    def any(self, chance: random.Random) -> str:
        """Return a known value of any name."""
        names = [name for name, values in self.known.items() if values]
        return chance.choice(self.known[chance.choice(names)]) if names else ""


def odd(chance: random.Random, *, text: bool = False) -> Any:
    """Return what nobody should send."""
    if not text and chance.random() < 0.3:
        return chance.choice(ODD_KINDS)
    value = chance.choice(ODD)
    return value + chance.choice(ODD) if chance.random() < 0.2 else value


def deep(chance: random.Random) -> bytes:
    """Return JSON that is nested deeper than any program recurses, whole or cut short."""
    depth = chance.choice((600, 3_000, 30_000))
    opening, closing = chance.choice((("[", "]"), ('{"a":', "}")))
    return (opening * depth + "1" + closing * chance.choice((0, depth))).encode()
