"""Names of files and containers as WOPI carries them: UTF-7 in headers, one segment, repairable.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/putrelativefile
"""

import unicodedata
from typing import Final

HEADER_LENGTH_MAX: Final = 512
"""Characters of a name in a header that are accepted."""

NAME_BYTES_MAX: Final = 255
FALLBACK: Final = "Untitled"

_FORBIDDEN: Final = frozenset('\\/:*?"<>|')
"""What Windows, macOS or a URL would not carry; replaced in a name that this host chooses."""

_DEVICES: Final = frozenset(
    {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}
)
"""Names that Windows takes for a device, whatever their extension."""

_EXTENSION_BYTES_MAX: Final = 64
"""What is longer is no extension, but a name with a dot in it."""


def decode_name(value: str) -> str | None:
    """Read a name from a header; None where it is not UTF-7 or longer than 512 characters."""
    if not value.isascii():
        return None
    try:
        name = value.encode("ascii").decode("utf-7")
        name.encode()
    except UnicodeError:
        return None
    if len(name) > HEADER_LENGTH_MAX:
        return None
    return unicodedata.normalize("NFC", name)


def encode_name(name: str) -> str:
    """Write a name for a header."""
    return name.encode("utf-7").decode("ascii")


def split_name(name: str) -> tuple[str, str]:
    """Split a name into stem and extension with its dot; a leading dot belongs to the stem."""
    stem, dot, extension = name.rpartition(".")
    return (stem, f".{extension}") if dot and stem else (name, "")


def repaired(name: str) -> str:
    """Make a name of one segment that every storage takes from whatever was asked for."""
    kept = "".join("_" if c in _FORBIDDEN or unicodedata.category(c) == "Cc" else c for c in name)
    kept = kept.strip()
    stem, extension = split_name(kept)
    if len(extension.encode()) > _EXTENSION_BYTES_MAX:
        stem, extension = kept, ""
    if not stem.strip(". "):
        stem, extension = FALLBACK, extension if stem else ""
    if stem.upper() in _DEVICES:
        stem += "_"
    return _fitting(stem, extension)


def numbered(name: str, number: int) -> str:
    """Return the name with a number before its extension; the name itself for 0."""
    if number == 0:
        return name
    stem, extension = split_name(name)
    return _fitting(stem, f" ({number}){extension}")


def _fitting(stem: str, end: str) -> str:
    room = max(1, NAME_BYTES_MAX - len(end.encode()))
    return stem.encode()[:room].decode(errors="ignore") + end
