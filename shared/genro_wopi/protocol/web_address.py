"""Addresses that a browser is sent to, and their origin as Content-Security-Policy writes it."""

import re
from typing import Final
from urllib.parse import urlsplit

ADDRESS_LENGTH_MAX: Final = 16 * 1024
"""Of what a browser is sent to, with all placeholders filled in."""

_HOST: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,31}\.?|\[[0-9a-f:.]{2,45}\]")
_UNFIT: Final = re.compile(r"[^!-~]|[\"'\\\\`^]")
"""Space, quotes, backslash, control characters, what is not ASCII."""


def origin_of(url: str) -> str | None:
    """Return scheme, host and port of an http(s) address; None where it is not a plain one.

    Nothing but these three comes back: a host is ASCII letters, digits, dots and hyphens, so that
    no address can bring a directive of its own into a policy.
    """
    if len(url) > ADDRESS_LENGTH_MAX or _UNFIT.search(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or "@" in parts.netloc:
        return None
    shown = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(shown):
        return None
    return f"{parts.scheme}://{shown}" + ("" if port is None else f":{port}")


def is_origin(text: str) -> bool:
    """Tell whether this is an origin and nothing else; in a policy `https://*.a.org` is one."""
    plain = text.lower().replace("://*.", "://any.", 1)
    return origin_of(plain) == plain
