"""The Range header of a download: one range of bytes, or the whole.

Spec: RFC 9110, section 14. Several ranges in one request are answered with the whole file, which
the RFC allows.
"""

import re
from typing import Final

import msgspec

_ONE_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class UnsatisfiableRangeError(ValueError):
    """The range begins behind the end of the file: 416."""


class ByteRange(msgspec.Struct, frozen=True):
    """Bytes `first` to `last`, both included."""

    first: int
    last: int

    @property
    def size_bytes(self) -> int:
        """How many bytes the range holds."""
        return self.last - self.first + 1


def parse_range(value: str | None, size_bytes: int) -> ByteRange | None:
    """Read a Range header for a file of `size_bytes`; None means the whole file.

    Raises:
        UnsatisfiableRangeError: no byte of the file lies in the range.
    """
    match = _ONE_RANGE.fullmatch(value.strip()) if value else None
    if match is None or match.groups() == ("", ""):
        return None
    first_text, last_text = match.groups()
    if not first_text:
        length = min(int(last_text), size_bytes)
        if length == 0:
            raise UnsatisfiableRangeError
        return ByteRange(size_bytes - length, size_bytes - 1)
    first = int(first_text)
    if last_text and int(last_text) < first:
        return None
    if first >= size_bytes:
        raise UnsatisfiableRangeError
    last = min(int(last_text), size_bytes - 1) if last_text else size_bytes - 1
    return ByteRange(first, last)
