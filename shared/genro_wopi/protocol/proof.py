"""Proof keys: how a WOPI client shows that a request really comes from it.

The client signs ``u32be(len(token)) token u32be(len(url)) URL u32be(8) u64be(ticks)`` with RSA
PKCS#1 v1.5 and SHA-256. The URL is upper-cased and is the one that the client called, query
included; the token is percent-decoded.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/online/scenarios/proofkeys
"""

import base64
import binascii
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from genro_wopi.protocol.decimals import parse_decimal
from genro_wopi.protocol.times import ticks_to_us

AGE_MAX_US: Final = 20 * 60 * 1_000_000
"""A proof older than 20 minutes is refused; the reference fixes it."""

AHEAD_MAX_US: Final = 5 * 60 * 1_000_000
"""How far a client's clock may run ahead of ours."""


KEY_BITS_MAX: Final = 4096
"""Microsoft's and Collabora's keys have 2,048; checking a longer one takes its time."""

EXPONENT_BITS_MAX: Final = 32
"""Both use 65,537; with a long exponent one check would take seconds."""

KEYS_MAX: Final = 8
"""Pairs of keys of one address that are tried for one proof, the ones seen last first."""

_SIGNATURE_LENGTH_MAX: Final = 4 * (KEY_BITS_MAX // 8 // 3 + 1)


class PublicKey(msgspec.Struct, frozen=True):
    """One RSA public key, as discovery writes it: base64 of the big-endian numbers."""

    modulus: str
    exponent: str


class ProofKeys(msgspec.Struct, frozen=True):
    """The current and the previous key that one discovery document publishes."""

    current: PublicKey
    old: PublicKey | None = None


class ProofHeaders(msgspec.Struct, frozen=True):
    """What a request carries to prove itself; empty strings where a header is missing."""

    proof: str
    proof_old: str
    ticks: str


def message(token: str, url: str, ticks: int) -> bytes:
    """Build the bytes that the client signed."""
    token_bytes = token.encode()
    url_bytes = url.upper().encode()
    return b"".join(
        (
            len(token_bytes).to_bytes(4, "big"),
            token_bytes,
            len(url_bytes).to_bytes(4, "big"),
            url_bytes,
            (8).to_bytes(4, "big"),
            ticks.to_bytes(8, "big"),
        )
    )


def parse_ticks(value: str) -> int | None:
    """Read X-WOPI-TimeStamp; None when it is not a number of ticks."""
    return parse_decimal(value)


def is_fresh(ticks: int, now_us: int) -> bool:
    """Tell whether a proof of that moment may still be accepted."""
    age_us = now_us - ticks_to_us(ticks)
    return -AHEAD_MAX_US <= age_us <= AGE_MAX_US


def verifies(headers: ProofHeaders, signed: bytes, published: Iterable[ProofKeys]) -> bool:
    """Tell whether one of the three allowed pairs of signature and key matches.

    The old signature under the old key never counts.
    """
    for keys in islice(published, KEYS_MAX):
        if _matches(headers.proof, keys.current, signed):
            return True
        if headers.proof_old != headers.proof and _matches(headers.proof_old, keys.current, signed):
            return True
        if keys.old not in (None, keys.current) and _matches(headers.proof, keys.old, signed):
            return True
    return False


def _matches(signature: str, key: PublicKey | None, signed: bytes) -> bool:
    if key is None or not signature or len(signature) > _SIGNATURE_LENGTH_MAX:
        return False
    public = load_key(key)
    if public is None:
        return False
    try:
        public.verify(base64.b64decode(signature, validate=True), signed, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def is_bounded(key: PublicKey) -> bool:
    """Tell whether a published key is short enough to be used."""
    return _fits(key.modulus, KEY_BITS_MAX) and _fits(key.exponent, EXPONENT_BITS_MAX)


def _fits(number: str, bits_max: int) -> bool:
    """Tell whether base64 holds so many bits at most; a byte of zeros before them is usual."""
    return len(number.rstrip("=")) * 6 < bits_max + 8 + 6


@lru_cache(maxsize=256)
def load_key(key: PublicKey) -> RSAPublicKey | None:
    """Turn published numbers into a usable key; None when they are not one."""
    if not is_bounded(key):
        return None
    try:
        modulus = int.from_bytes(base64.b64decode(key.modulus, validate=True), "big")
        exponent = int.from_bytes(base64.b64decode(key.exponent, validate=True), "big")
        return RSAPublicNumbers(exponent, modulus).public_key()
    except (binascii.Error, ValueError):
        return None
