"""What a store answers, read strictly: whoever runs it may answer anything.

What is odd in one entry of a list is left out and counted; what is odd about the file that was
asked for is a `StorageFaultError` in words, never a crash, and never a guess.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from genro_wopi.adapters.storage.records import Records
from genro_wopi.domain.files import MOMENT_US_MAX
from genro_wopi.domain.paths import RESERVED_SEGMENT, segment_problem
from genro_wopi.domain.storages import FolderEntry, OddAnswerError

SIZE_BYTES_MAX: Final = 2**50
FINGERPRINT_SIZE_MAX: Final = 200
PLACE_SIZE_MAX: Final = 4096
"""What a store may name as the place at which its list goes on, in characters."""

_DIGITS_MAX: Final = 16


def size_of(value: object) -> int:
    """Read a size in bytes.

    Raises:
        OddAnswerError: it is none.
    """
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise OddAnswerError("The storage names no size for this file.")
    if int(text) > SIZE_BYTES_MAX:
        raise OddAnswerError("The storage names a size for this file that none can have.")
    return int(text)


def fingerprint_of(value: object) -> str:
    """Read an ETag.

    Raises:
        OddAnswerError: it is none that a condition could name.
    """
    text = "" if value is None else str(value)
    if not 0 < len(text) <= FINGERPRINT_SIZE_MAX or not (text.isascii() and text.isprintable()):
        raise OddAnswerError("The storage gives this file no usable ETag.")
    return text


def moment_of(moment_us: float) -> int:
    """Read a moment, us since 1970; 0 where it cannot be: moments of stores are only hints."""
    return int(moment_us) if 0 <= moment_us <= MOMENT_US_MAX else 0


def storage_time_us(moment: object) -> int:
    """Read when a store says that something was written, as `moment_of`."""
    try:
        return moment_of(moment.timestamp() * 1_000_000) if isinstance(moment, datetime) else 0
    except (OverflowError, ValueError, OSError):
        return 0


def sound(entries: Iterable[FolderEntry], records: Records, limit: int) -> list[FolderEntry]:
    """Take what can be named from a list: each name once, and none that leads elsewhere."""
    found: dict[str, FolderEntry] = {}
    for entry in entries:
        if len(found) >= limit:
            break
        if segment_problem(entry.name) is None and entry.name not in found:
            found[entry.name] = entry
        elif entry.name != RESERVED_SEGMENT:
            records.bad("name")
    return list(found.values())


def next_place(value: object, before: str) -> str:
    """Read where a list goes on.

    Raises:
        OddAnswerError: it is where it was before, or nothing that could be sent again.
    """
    text = value if isinstance(value, str) else ""
    if not text or len(text) > PLACE_SIZE_MAX or text == before:
        raise OddAnswerError("The storage's list does not go on.")
    return text
