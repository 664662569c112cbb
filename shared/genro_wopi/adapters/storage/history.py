"""What a folder remembers beside its files: evidence of each version, and the bytes it replaced.

For one file there is one folder, named after the digest of its path:

* ``0000000007.json``    record of version 7: evidence, fingerprint, and what it replaced
* ``0000000007.before``  the bytes that version 7 replaced, a hard link to the old inode
* ``<save_id>.data``     bytes of a version that is committed and about to be moved into place

Linking the record to the next number is the commit point: ``link(2)`` succeeds for one writer only.
Everything after it can be repeated by anybody who finds it undone.
"""

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import Final

import msgspec

from genro_wopi.domain.files import Evidence

_NUMBER_DIGITS: Final = 10
_RECORD: Final = ".json"
_BEFORE: Final = ".before"


class CommitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One committed version."""

    number: int
    evidence: Evidence
    fingerprint: str
    replaced: str
    """Fingerprint of what it replaced; empty for a new file."""


_decoder: Final = msgspec.json.Decoder(CommitRecord)


class History:
    """The records of one file. Blocking; callers run it in the storage's threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._latest: CommitRecord | None = None

    def latest(self) -> CommitRecord | None:
        """Return the newest record; reads the folder once, then only looks for the next number."""
        latest = self._latest
        if latest is None or not self._record(latest.number).exists():
            self._latest = None
            numbers = self._numbers(_RECORD)
            if not numbers:
                return None
            latest = self._read(max(numbers))
        while self._record(latest.number + 1).exists():
            latest = self._read(latest.number + 1)
        self._latest = latest
        return latest

    def prepare(self) -> None:
        """Make sure that the folder is there."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def data(self, save_id: str) -> Path:
        """Name the bytes of a version that is being committed."""
        return self.folder / f"{save_id}.data"

    def before(self, number: int) -> Path:
        """Name the bytes that a version replaced."""
        return self.folder / f"{number:0{_NUMBER_DIGITS}d}{_BEFORE}"

    def commit(self, record: CommitRecord) -> bool:
        """Make a record the newest; False where another writer was quicker."""
        draft = self.folder / f"{record.evidence.save_id}.draft"
        _write_durably(draft, msgspec.json.encode(record))
        try:
            os.link(draft, self._record(record.number))
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        fsync_folder(self.folder)
        self._latest = record
        return True

    def record(self, number: int) -> CommitRecord | None:
        """Return one record; None where it is not there."""
        try:
            return self._read(number)
        except FileNotFoundError:
            return None

    def discard(self, save_id: str) -> None:
        """Remove what an attempt that lost has left."""
        self.data(save_id).unlink(missing_ok=True)

    def kept(self) -> list[int]:
        """Return the numbers of the versions whose replaced bytes are there, the newest first."""
        return sorted(self._numbers(_BEFORE), reverse=True)

    def forget(self, number: int) -> None:
        """Remove the bytes that a version replaced, and records that nothing needs any more.

        Records are removed from the oldest on, never out of the middle: whoever remembers one that
        is gone reads the folder again, while a gap would look like a number that is still free.
        """
        remove_quietly(self.before(number))
        latest = self.latest()
        oldest = min(self._numbers(_BEFORE), default=latest.number if latest else 0)
        for record in sorted(self._numbers(_RECORD)):
            if record >= oldest - 1:
                return
            remove_quietly(self._record(record))

    def tidy(self, *, older_than_s: float) -> None:
        """Remove bytes and drafts of attempts that were never committed.

        What the newest record names may still be waiting to be put in place, and stays.
        """
        latest = self.latest()
        for entry in self._entries():
            name, _, kind = entry.name.rpartition(".")
            is_attempt = kind in {"data", "draft"}
            if is_attempt and not (latest is not None and name == latest.evidence.save_id):
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - entry.stat().st_ctime > older_than_s:
                        entry.unlink()

    def purge(self) -> None:
        """Remove everything."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)

    def move_to(self, other: "History") -> None:
        """Become the history of another path. Safe to repeat.

        What an earlier file of that path left is set aside.
        """
        if not self.folder.exists():
            return
        if other.folder.exists():
            other.folder.rename(f"{other.folder}.retired-{time.time_ns()}")
        self.folder.rename(other.folder)
        fsync_folder(self.folder.parent)

    def _entries(self) -> list[Path]:
        try:
            return list(self.folder.iterdir())
        except FileNotFoundError:
            return []

    def _numbers(self, suffix: str) -> list[int]:
        return [int(entry.stem) for entry in self._entries() if entry.suffix == suffix]

    def _read(self, number: int) -> CommitRecord:
        return _decoder.decode(self._record(number).read_bytes())

    def _record(self, number: int) -> Path:
        return self.folder / f"{number:0{_NUMBER_DIGITS}d}{_RECORD}"


def fsync_folder(folder: Path | int) -> None:
    """Make names in a folder durable."""
    if isinstance(folder, int):
        os.fsync(folder)
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_quietly(path: Path) -> None:
    """Remove a leftover whose absence is as good."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
