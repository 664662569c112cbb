"""Whole numbers in text from outside: headers, cursors, lengths.

`str.isdigit` takes `²`, which `int` refuses, and `int` refuses more than 4,300 digits.
"""

from typing import Final

LARGEST: Final = 2**63 - 1
"""What every counter, size and moment fits in."""


def parse_decimal(text: str | None, *, largest: int = LARGEST) -> int | None:
    """Read a number of ASCII digits; None where it is none, or larger than that."""
    if not text or not text.isascii() or not text.isdigit() or len(text) > len(str(LARGEST)):
        return None
    number = int(text)
    return number if number <= largest else None
