"""The pass that a doctor shows to a wopi-service: signed with what both know, short-lived."""

import hashlib
import hmac
import secrets
from typing import Final

from genro_wopi.domain.secrets import Secret
from genro_wopi.protocol.decimals import parse_decimal

LIFE_S: Final = 60


def new_pass(secret: Secret, now_s: int) -> str:
    """Make a pass: until when, something random, and a signature."""
    body = f"{now_s + LIFE_S}.{secrets.token_hex(8)}"
    return f"{body}.{_signature(secret, body)}"


def is_valid_pass(secret: Secret, shown: str, now_s: int) -> bool:
    """Tell whether a pass was made here and is not over."""
    body, _, signature = shown.rpartition(".")
    until = body.partition(".")[0]
    if not hmac.compare_digest(_signature(secret, body).encode(), signature.encode()):
        return False
    return (parse_decimal(until) or 0) >= now_s


def _signature(secret: Secret, body: str) -> str:
    key = secret.reveal().encode()
    return hmac.new(key, b"doctor." + body.encode(), hashlib.sha256).hexdigest()[:32]
