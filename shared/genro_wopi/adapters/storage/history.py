"""What a folder remembers beside its files: evidence of each version, and the bytes it replaced.

For one file there is one folder, named after the digest of its path:

* ``0000000007.json``    record of version 7: evidence, fingerprint, and what it replaced
* ``0000000007.before``  the bytes that version 7 replaced, a hard link to the old inode
* ``<save_id>.data``     bytes of a version that is committed and about to be moved into place

Linking the record to the next number is the commit point: ``link(2)`` succeeds for one writer only.
Everything after it can be repeated by anybody who finds it undone.

Others can write here: a record that cannot be read holds its number and says nothing.
"""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Generator
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from genro_wopi.adapters.storage.beneath import (
    Beneath,
    create_file,
    is_there,
    link,
    read_small,
    remove_quietly,
)
from genro_wopi.adapters.storage.records import RECORD_BYTES_MAX, Records
from genro_wopi.domain.files import Evidence
from genro_wopi.domain.paths import StoragePath, base_name, history_folder

_NUMBER_DIGITS: Final = 10
_RECORD: Final = ".json"
_BEFORE: Final = ".before"
_NUMBERED: Final = re.compile(r"(0[0-9]{9}|[1-9][0-9]{9,14})(\.json|\.before)")

Fingerprint = Annotated[str, Meta(max_length=200)]


class CommitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One committed version."""

    number: Annotated[int, Meta(ge=1)]
    evidence: Evidence
    fingerprint: Fingerprint
    replaced: Fingerprint
    """Fingerprint of what it replaced; empty for a new file."""


class Newest(msgspec.Struct, frozen=True):
    """The newest record of a file."""

    number: int = 0
    """0: there is none."""
    record: CommitRecord | None = None
    """None where it cannot be read, or does not count."""

    @property
    def is_bad(self) -> bool:
        """Whether there is a record that says nothing."""
        return self.number > 0 and self.record is None


class History:
    """The records of one file. Blocking; callers run it in the storage's threads."""

    def __init__(self, root: Beneath, path: StoragePath, records: Records) -> None:
        self._root = root
        self._segments = history_folder(path).split("/")
        self._records = records
        self._newest = Newest()

    @contextlib.contextmanager
    def opened(self, *, create: bool = False) -> Generator[int | None]:
        """Open the folder; None where there is none."""
        with contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(self._root.folder(self._segments, create=create))
            except FileNotFoundError:
                if create:
                    raise OSError(None, f"{'/'.join(self._segments)} is no folder") from None
                folder = None
            yield folder

    def newest(self) -> Newest:
        """Return the newest record; reads the folder once, then only looks for the next number."""
        with self.opened() as folder:
            return self.newest_in(folder)

    def newest_in(self, folder: int | None) -> Newest:
        """Return the newest record, in the folder as it is open."""
        newest = self._newest
        if folder is None:
            newest = Newest()
        elif not newest.number or not is_there(folder, record_name(newest.number)):
            numbers = numbers_in(folder, _RECORD)
            newest = self._read(folder, max(numbers)) if numbers else Newest()
        while folder is not None and newest.number:
            if not is_there(folder, record_name(newest.number + 1)):
                break
            newest = self._read(folder, newest.number + 1)
        self._newest = newest
        return newest

    def commit(self, folder: int, record: CommitRecord) -> bool:
        """Make a record the newest; False where another writer was quicker."""
        draft = f"{record.evidence.save_id}.draft"
        _write_durably(folder, draft, msgspec.json.encode(record))
        try:
            link(folder, draft, folder, record_name(record.number))
        except FileExistsError:
            return False
        finally:
            remove_quietly(folder, draft)
        os.fsync(folder)
        self._newest = Newest(record.number, record)
        return True

    def record(self, folder: int, number: int) -> CommitRecord | None:
        """Return one record; None where it is not there, or does not count."""
        return self._read(folder, number).record

    def forget(self, number: int) -> None:
        """Remove the bytes that a version replaced, and records that nothing needs any more.

        Records are removed from the oldest on, never out of the middle: whoever remembers one that
        is gone reads the folder again, while a gap would look like a number that is still free.
        """
        with self.opened() as folder:
            if folder is None:
                return
            remove_quietly(folder, before_name(number))
            newest = self.newest_in(folder)
            oldest = min(numbers_in(folder, _BEFORE), default=newest.number)
            for record in sorted(numbers_in(folder, _RECORD)):
                if record >= oldest - 1:
                    return
                remove_quietly(folder, record_name(record))

    def tidy(self, *, older_than_s: float) -> None:
        """Remove bytes and drafts of attempts that were never committed.

        What the newest record names may still be waiting to be put in place, and stays.
        """
        with self.opened() as folder:
            if folder is None:
                return
            record = self.newest_in(folder).record
            for entry in os.listdir(folder):  # noqa: PTH208 - by descriptor
                name, _, kind = entry.rpartition(".")
                is_attempt = kind in {"data", "draft"}
                if is_attempt and not (record is not None and name == record.evidence.save_id):
                    with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                        status = os.stat(entry, dir_fd=folder, follow_symlinks=False)
                        if time.time() - status.st_ctime > older_than_s:
                            os.unlink(entry, dir_fd=folder)

    def purge(self) -> None:
        """Remove everything."""
        with self._above() as (above, name):
            if above is None:
                return
            try:
                shutil.rmtree(name, dir_fd=above)
            except FileNotFoundError:
                return
            except OSError:  # A link, or a file: it goes, and nothing that it names.
                remove_quietly(above, name)

    def move_to(self, other: "History") -> None:
        """Become the history of another path. Safe to repeat.

        What an earlier file of that path left is set aside.
        """
        with self._above() as (above, name):
            if above is None or not _is_any(above, name):
                return
            target = base_name("/".join(other._segments))  # noqa: SLF001 - of the same class
            names = {"src_dir_fd": above, "dst_dir_fd": above}
            if _is_any(above, target):
                aside = f"{target}.retired-{time.time_ns()}"
                os.rename(target, aside, **names)  # noqa: PTH104 - by descriptor
            os.rename(name, target, **names)  # noqa: PTH104 - by descriptor
            os.fsync(above)

    @contextlib.contextmanager
    def _above(self) -> Generator[tuple[int | None, str]]:
        """Open the folder of all histories; None where there is none."""
        with contextlib.ExitStack() as stack:
            try:
                above = stack.enter_context(self._root.folder(self._segments[:-1]))
            except FileNotFoundError:
                above = None
            yield above, self._segments[-1]

    def _read(self, folder: int, number: int) -> Newest:
        try:
            content = read_small(folder, record_name(number), RECORD_BYTES_MAX)
        except FileNotFoundError:
            return Newest(number)
        record = self._records.read(content, CommitRecord, "history")
        if record is None or record.number != number or not self._records.counts(record.evidence):
            return Newest(number)
        return Newest(number, record)


def data_name(save_id: str) -> str:
    """Name the bytes of a version that is being committed."""
    return f"{save_id}.data"


def before_name(number: int) -> str:
    """Name the bytes that a version replaced."""
    return f"{number:0{_NUMBER_DIGITS}d}{_BEFORE}"


def record_name(number: int) -> str:
    """Name the record of a version."""
    return f"{number:0{_NUMBER_DIGITS}d}{_RECORD}"


def kept_numbers(folder: int) -> list[int]:
    """Return the numbers of the versions whose replaced bytes are there, the newest first."""
    return sorted(numbers_in(folder, _BEFORE), reverse=True)


def numbers_in(folder: int, suffix: str) -> list[int]:
    """Return the numbers for which there is a file of this kind; other names are passed over."""
    found = (_NUMBERED.fullmatch(name) for name in os.listdir(folder))
    return [int(match[1]) for match in found if match is not None and match[2] == suffix]


def _is_any(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _write_durably(folder: int, name: str, content: bytes) -> None:
    remove_quietly(folder, name)
    with os.fdopen(create_file(folder, name, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
