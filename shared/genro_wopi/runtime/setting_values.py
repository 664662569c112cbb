"""Reads the values of settings. A reader raises ValueError, whose message says what to write."""

import base64
import binascii
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from genro_wopi.domain.secrets import Secret

TOKEN_LENGTH_MIN: Final = 8
KEY_BYTES: Final = 32


def number(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of whole numbers between two bounds.

    Raises:
        ValueError: it is something else; the message says what to write.
    """

    def parse(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"use a number from {low} to {high}")
        return number

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a reader of one of some words.

    Raises:
        ValueError: it is something else; the message says what to write.
    """

    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"use one of {', '.join(choices)}")
        return value

    return parse


def some_of(*choices: str) -> Callable[[str], tuple[str, ...]]:
    """Return a reader of some of some words, separated by commas, in the order of the choices.

    Raises:
        ValueError: one is something else, or there is none; the message says what to write.
    """

    def parse(value: str) -> tuple[str, ...]:
        words = {word.strip() for word in value.split(",")}
        if not words <= set(choices):
            raise ValueError(f"use some of {', '.join(choices)}, separated by commas")
        return tuple(choice for choice in choices if choice in words)

    return parse


def read_url(value: str) -> str:
    """Read an http(s) address; without a trailing slash.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise ValueError("use an address that begins with http:// or https://")
    return value.rstrip("/")


def read_optional_url(value: str) -> str:
    """Read an http(s) address, or nothing.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    return read_url(value) if value else ""


def read_urls(value: str) -> tuple[str, ...]:
    """Read addresses separated by commas.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    return tuple(read_url(v.strip()) for v in value.split(",") if v.strip())


def read_words(value: str) -> tuple[str, ...]:
    """Read words separated by commas.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    return tuple(v.strip() for v in value.split(",") if v.strip())


def read_networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read networks separated by commas.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    try:
        return tuple(ip_network(word) for word in read_words(value))
    except ValueError as error:
        raise ValueError("write networks as 10.0.0.0/8, separated by ','") from error


def read_redis_url(value: str) -> Secret:
    """Read the address of a Redis; it may hold a password.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    ways = ("", "+sentinel", "+cluster")
    schemes = ("unix://", *(f"{plain}{way}://" for plain in ("redis", "rediss") for way in ways))
    if not value.startswith(schemes):
        raise ValueError(f"use an address that begins with {', '.join(schemes)}")
    if not value.startswith("unix://"):
        for place in urlsplit(value).netloc.rpartition("@")[2].split(","):
            _require_place(place)
    return Secret(value)


def _require_place(place: str) -> None:
    parts = urlsplit(f"//{place}")
    try:
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError(f"{place!r} is not host:port")


def read_proxy(value: str) -> Secret:
    """Read the address of an HTTP proxy, or nothing; it may hold a user and a password.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    parts = urlsplit(value)
    if value and (parts.scheme != "http" or not parts.hostname or parts.path.strip("/")):
        raise ValueError("use an address like http://user:password@proxy:3128")
    return Secret(value)


def read_token(value: str) -> Secret:
    """Read a token.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    if len(value) < TOKEN_LENGTH_MIN:
        raise ValueError(f"use at least {TOKEN_LENGTH_MIN} random characters")
    return Secret(value)


def read_paths(value: str) -> tuple[Path, ...]:
    """Read folders separated by colons.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    paths = tuple(Path(v).absolute() for v in value.split(":") if v)
    if Path("/") in paths:
        raise ValueError("'/' would give tenants the whole machine; name a folder")
    return paths


def read_keys(value: str) -> tuple[tuple[str, bytes], ...]:
    """Read keys as ``kid:base64``, separated by commas.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    keys: list[tuple[str, bytes]] = []
    for entry in read_words(value):
        kid, _, encoded = entry.partition(":")
        try:
            key = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except (binascii.Error, ValueError):
            key = b""
        if not kid or len(key) != KEY_BYTES:
            raise ValueError(f"write kid:base64 with {KEY_BYTES} bytes per key, separated by ','")
        keys.append((kid, key))
    if not keys:
        raise ValueError("give at least one key")
    return tuple(keys)


def read_routes(value: str) -> tuple[tuple[str, str], ...]:
    """Read ``/prefix=address`` pairs, separated by commas.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    pairs = [entry.partition("=") for entry in read_words(value)]
    if any(not prefix.startswith("/") for prefix, _, _ in pairs):
        raise ValueError("write /prefix=http://host:port, separated by ','")
    return tuple((prefix.rstrip("/"), read_url(url)) for prefix, _, url in pairs)


def read_seconds(value: str) -> tuple[int, ...]:
    """Read numbers of seconds, separated by commas.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    return tuple(number(0, 7 * 86_400)(v) for v in read_words(value))
