"""What only its owner may see, and whether bytes show it.

Some of it attackers were told (`told`): the id of a tenant, of a file, of a session. An answer may
repeat such a thing to whoever sent it, and to nobody else.
"""

import base64
import binascii
import re
import uuid
from collections.abc import Container
from dataclasses import dataclass, field

_TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*")
TOKENS_READ_MAX = 50
"""In one answer."""


@dataclass
class Canaries:
    """Values by what they are."""

    secret: dict[str, str] = field(default_factory=dict[str, str])
    told: dict[str, str] = field(default_factory=dict[str, str])

    def draw(self, what: str) -> str:
        """Return a new secret."""
        value = f"canary{uuid.uuid4().hex}"
        self.secret[value] = what
        return value

    def keep(self, value: str, what: str) -> str:
        """Count a value that the host or a test made among the secrets."""
        self.secret[value] = what
        return value

    def tell(self, value: str, what: str) -> str:
        """Let attackers know a value."""
        self.secret.pop(value, None)
        self.told[value] = what
        return value

    def told_in(self, data: bytes) -> set[str]:
        """Return what of the told values some bytes hold."""
        return {value for value in self.told if value.encode() in data}

    def seen_in(self, data: bytes, allowed: Container[str]) -> list[str]:
        """Say what some bytes show that they may not, also inside of access tokens.

        Args:
            data: an answer, or what the host sent to somebody.
            allowed: what was given to whoever gets it, or sent by them.
        """
        if not data:
            return []
        data += b" ".join(_claims(data))
        every = {**self.secret, **self.told}
        return [what for v, what in every.items() if v.encode() in data and v not in allowed]


def _claims(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    for match in _TOKEN.finditer(data):
        payload = match[1]
        try:
            found.append(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
        except (ValueError, binascii.Error):
            continue
        if len(found) == TOKENS_READ_MAX:
            break
    return found
