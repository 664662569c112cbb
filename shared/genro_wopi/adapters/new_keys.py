"""Drawing keys for an installation, and putting a new one before those that are in use."""

import base64
import re
import secrets
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_NUMBERED: Final = re.compile(r"\b([a-z]+)(\d+)")


def new_encryption_key(kid: str = "k1") -> str:
    """Draw a key for WOPI_ENCRYPTION_KEYS."""
    return f"{kid}:{base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}"


def new_signing_key(kid: str = "s1") -> str:
    """Draw a private key for WOPI_SIGNING_KEYS."""
    raw = Ed25519PrivateKey.generate().private_bytes_raw()
    return f"{kid}:{base64.urlsafe_b64encode(raw).decode()}"


def verify_keys(signing_keys: str) -> str:
    """Return WOPI_VERIFY_KEYS for WOPI_SIGNING_KEYS."""
    public: list[str] = []
    for entry in signing_keys.split(","):
        kid, _, encoded = entry.strip().partition(":")
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        key = Ed25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()
        public.append(f"{kid}:{base64.urlsafe_b64encode(key).decode()}")
    return ",".join(public)


def with_new_key(current: str, draw: Callable[[str], str]) -> str:
    """Put a new key before those of a setting; its id is one that was not used."""
    known = [entry.strip() for entry in current.split(",") if entry.strip()]
    ids = [entry.partition(":")[0] for entry in known]
    numbered = [match for match in map(_NUMBERED.fullmatch, ids) if match]
    prefix = numbered[0][1] if numbered else "k"
    highest = max((int(match[2]) for match in numbered), default=0)
    return ",".join([draw(f"{prefix}{highest + 1}"), *known])
