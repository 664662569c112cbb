"""Paths inside a storage: relative, NFC, without anything that could leave it.

Every path goes through `parse_path` once, where it enters the system; back ends check again that
what they open lies inside their root.
"""

import hashlib
import re
import unicodedata
from typing import Final, NewType

from genro_wopi.domain.errors import FieldError, InvalidFieldsError, NotFoundError

StoragePath = NewType("StoragePath", str)
"""Segments joined by ``/``; never empty for a file, empty for the root folder."""

SEGMENT_SIZE_BYTES_MAX: Final = 255
PATH_SIZE_BYTES_MAX: Final = 1024
"""The longest key that S3 takes."""

RESERVED_SEGMENT: Final = ".genro-wopi"
"""The folder in which a storage keeps versions and evidence; no file may lie in it."""


INNER_PATH_SIZE_MAX: Final = 2 * PATH_SIZE_BYTES_MAX
"""A path of the host's own folder may hold a whole path of the storage."""

_LEAVING: Final = frozenset({"", ".", ".."})
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f\\]")


def parse_path(value: str, *, field: str = "file_path") -> StoragePath:
    """Check the path of a file.

    Raises:
        InvalidFieldsError: it is absolute, empty, too long, or has a segment such as ``..``.
    """
    path = parse_folder(value, field=field)
    if not path:
        raise InvalidFieldsError((FieldError(field, "name a file, as in 'letters/offer.docx'"),))
    return path


def parse_folder(value: str, *, field: str = "path") -> StoragePath:
    """Check the path of a folder; empty means the root.

    Raises:
        InvalidFieldsError: as `parse_path`.
    """
    path = unicodedata.normalize("NFC", value)
    problem = _problem(path)
    if problem:
        raise InvalidFieldsError((FieldError(field, problem),))
    return StoragePath(path.rstrip("/"))


def _problem(path: str) -> str | None:
    if path.startswith("/"):
        return "use a path relative to the storage, without a leading '/'"
    if any(unicodedata.category(c) == "Cs" for c in path):
        return "use well-formed Unicode"
    if len(path.encode()) > PATH_SIZE_BYTES_MAX:
        return f"use at most {PATH_SIZE_BYTES_MAX} bytes"
    if not path:
        return None
    for segment in path.rstrip("/").split("/"):
        problem = segment_problem(segment)
        if problem:
            return problem
    return None


def segment_problem(segment: str) -> str | None:
    """Say what is wrong with one name; None when nothing is."""
    if not segment or segment in {".", ".."}:
        return "leave out empty segments, '.' and '..'"
    if segment.casefold() == RESERVED_SEGMENT:  # Some file systems do not tell case.
        return f"'{RESERVED_SEGMENT}' is where the host keeps versions; choose another name"
    if "/" in segment:
        return "leave out '/'"
    if "\\" in segment:
        return "use '/' between segments, not '\\'"
    if any(unicodedata.category(c) == "Cc" for c in segment):
        return "leave out control characters"
    if len(segment.encode()) > SEGMENT_SIZE_BYTES_MAX:
        return f"use at most {SEGMENT_SIZE_BYTES_MAX} bytes for one name"
    return None


def inner_path(path: str) -> StoragePath:
    """Check a path that a back end is about to use, the host's own folder included.

    This is the second wall: `parse_path` has checked what came from outside, and what is made from
    it or read from a record passes here once more.

    Raises:
        NotFoundError: it would leave the storage; nothing can lie there.
    """
    segments = path.removesuffix("/").split("/") if path else ()
    is_short = len(path) <= INNER_PATH_SIZE_MAX
    if is_short and all(s not in _LEAVING and not _UNSAFE.search(s) for s in segments):
        return StoragePath(path)
    raise NotFoundError("There is no such file in the storage.")


def path_digest(path: str) -> str:
    """Return what stands for a path where its own characters or length would not do."""
    return hashlib.sha256(path.encode()).hexdigest()[:32]


def history_folder(path: StoragePath) -> StoragePath:
    """Name the folder in which a file's versions and evidence lie."""
    return StoragePath(f"{RESERVED_SEGMENT}/history/{path_digest(path)}")


def base_name(path: str) -> str:
    """Return the last segment."""
    return path.rpartition("/")[2]


def extension_of(path: str) -> str:
    """Return the extension in lower case, without its dot; empty where there is none."""
    stem, dot, extension = base_name(path).rpartition(".")
    return extension.lower() if dot and stem else ""
