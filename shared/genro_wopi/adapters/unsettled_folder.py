"""Unsettled saves on the spool's disk; see `genro_wopi.domain.unsettled_saves.UnsettledSaves`.

Of each there are two files: ``unsettled-<save id>.body``, and ``unsettled-<save id>.json``, the
note with what the request said. The note is written last and removed first: bytes without one
belong to nobody. Whoever has to submit a save holds a lock on its note; where a process died, the
one that starts in its place, or another one that shares the folder, takes it over.
"""

import asyncio
import contextlib
import fcntl
import os
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from genro_wopi.domain.errors import StorageFullError
from genro_wopi.domain.storages import Body
from genro_wopi.domain.unsettled_saves import Outcome, UnsettledSave

PREFIX: Final = "unsettled-"
NOTE_BYTES_MAX: Final = 64 * 1024
LEFTOVER_AGE_S: Final = 60.0
"""Bytes whose note was not written a minute later will never have one."""

_SAVE_ID: Final = re.compile(r"[0-9a-f]{32}")
_note: Final = msgspec.json.Decoder(UnsettledSave)

Observe = Callable[[int, int, Outcome | None], None]
"""Is told how many saves and bytes came (or, negative, went), and what became of them."""


def _unobserved(_saves: int, _size_bytes: int, _outcome: Outcome | None) -> None:
    return


class KeptBody:
    """Implements `genro_wopi.domain.storages.Body` over a file here."""

    def __init__(self, path: Path, save: UnsettledSave) -> None:
        self.path = path
        self.size_bytes = save.size_bytes
        self.sha256 = save.sha256

    def in_memory(self) -> bytes:
        """See Body; never called, since the bytes lie on disk."""
        return self.path.read_bytes()


class UnsettledFolder:
    """Implements `UnsettledSaves`.

    Args:
        folder: the spool's; bodies of the spool are linked, not copied.
        size_bytes_max: what all of them may take. One tenant's may take as much as is left free for
            others.
        observe: counts.
    """

    def __init__(
        self, folder: Path, *, size_bytes_max: int, observe: Observe = _unobserved
    ) -> None:
        self._folder = folder
        self._size_bytes_max = size_bytes_max
        self._observe = observe
        self._mine: dict[str, tuple[UnsettledSave, int]] = {}
        """By id, with the descriptor of the note, which is locked."""
        self._coming: list[UnsettledSave] = []
        """Those that are being written."""

    async def keep(self, save: UnsettledSave, body: Body) -> None:
        """See UnsettledSaves."""
        if save.save_id in self._mine:
            return
        self._require_room(save)
        self._coming.append(save)
        try:
            descriptor = await asyncio.to_thread(self._write, save, body)
        finally:
            self._coming.remove(save)
        self._take(save, descriptor)

    def keep_now(self, save: UnsettledSave, body: Body) -> None:
        """See UnsettledSaves."""
        if save.save_id in self._mine:
            return
        self._require_room(save)
        self._take(save, self._write(save, body))

    async def waiting(self) -> list[UnsettledSave]:
        """See UnsettledSaves."""
        for save, descriptor in await asyncio.to_thread(self._claim, frozenset(self._mine)):
            self._take(save, descriptor)
        return sorted((s for s, _ in self._mine.values()), key=lambda s: s.received_us)

    @asynccontextmanager
    async def open(self, save: UnsettledSave) -> AsyncGenerator[Body]:
        """See UnsettledSaves."""
        yield KeptBody(self._body(save), save)

    async def moved(self, save: UnsettledSave) -> None:
        """See UnsettledSaves."""
        before, old = self._mine[save.save_id]
        descriptor = await asyncio.to_thread(self._write_note, save)
        self._mine[save.save_id] = (save, descriptor)
        os.close(old)
        self._body(save).unlink(missing_ok=True)
        self._observe(0, _bytes_here(save) - _bytes_here(before), None)

    async def settle(self, save: UnsettledSave, outcome: Outcome) -> None:
        """See UnsettledSaves."""
        mine = self._mine.pop(save.save_id, None)
        if mine is None:
            return
        self._note(save.save_id).unlink(missing_ok=True)
        self._body(save).unlink(missing_ok=True)
        os.close(mine[1])
        self._observe(-1, -_bytes_here(mine[0]), outcome)

    def close(self) -> None:
        """Leave what is here to whoever comes next."""
        for _, descriptor in self._mine.values():
            os.close(descriptor)
        self._mine.clear()

    def _write(self, save: UnsettledSave, body: Body) -> int:
        try:
            _write_body(self._body(save), body)
            return self._write_note(save)
        except OSError as error:
            self._body(save).unlink(missing_ok=True)
            self._observe(0, 0, Outcome.NO_ROOM)
            raise StorageFullError(f"The spool cannot be written: {error.strerror}.") from error

    def _take(self, save: UnsettledSave, descriptor: int) -> None:
        self._mine[save.save_id] = (save, descriptor)
        self._observe(1, _bytes_here(save), None)

    def _require_room(self, save: UnsettledSave) -> None:
        here = [*self._coming, *(s for s, _ in self._mine.values())]
        free = self._size_bytes_max - sum(map(_bytes_here, here))
        of_tenant = sum(_bytes_here(s) for s in here if s.claims.tenant_id == save.claims.tenant_id)
        if of_tenant + save.size_bytes > free - save.size_bytes:
            self._observe(0, 0, Outcome.NO_ROOM)
            raise StorageFullError("Too many saves wait to be stored; try again.")

    def _body(self, save: UnsettledSave) -> Path:
        return self._folder / f"{PREFIX}{save.save_id}.body"

    def _note(self, save_id: str) -> Path:
        return self._folder / f"{PREFIX}{save_id}.json"

    def _write_note(self, save: UnsettledSave) -> int:
        """Write the note as a whole or not at all; returns its descriptor, which holds a lock."""
        draft = self._folder / f"{PREFIX}{save.save_id}.draft"
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_all(descriptor, msgspec.json.encode(save))
            os.fsync(descriptor)
            draft.replace(self._note(save.save_id))
            _sync_folder(self._folder)
        except OSError:
            os.close(descriptor)
            draft.unlink(missing_ok=True)
            raise
        return descriptor

    def _claim(self, mine: frozenset[str]) -> list[tuple[UnsettledSave, int]]:
        """Take over what dead processes left; remove bytes that belong to nobody."""
        found: list[tuple[UnsettledSave, int]] = []
        for path in self._folder.glob(f"{PREFIX}*.json"):
            save_id = path.name.removeprefix(PREFIX).removesuffix(".json")
            if save_id not in mine and _SAVE_ID.fullmatch(save_id):
                with contextlib.suppress(OSError):
                    claimed = _claimed(path)
                    found += [claimed] if claimed is not None else []
        for path in self._folder.glob(f"{PREFIX}*"):
            if path.suffix in {".body", ".draft"}:
                self._remove_leftover(path)
        return found

    def _remove_leftover(self, path: Path) -> None:
        save_id = path.name.removeprefix(PREFIX).removesuffix(path.suffix)
        with contextlib.suppress(OSError):
            is_old = time.time() - path.stat().st_ctime > LEFTOVER_AGE_S
            if is_old and (path.suffix == ".draft" or not self._note(save_id).exists()):
                path.unlink()


def _claimed(path: Path) -> tuple[UnsettledSave, int] | None:
    """Lock a note and read it; None where somebody holds it, or it is none."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        save = _note.decode(os.read(descriptor, NOTE_BYTES_MAX))
        is_whole = save.in_storage or _is_body(path.with_suffix(".body"), save)
        is_there = os.fstat(descriptor).st_ino == path.stat().st_ino
        if is_whole and is_there and path.stem == f"{PREFIX}{save.save_id}":
            return save, descriptor
    except (OSError, msgspec.DecodeError):
        pass  # Somebody holds it, or it was settled meanwhile, or it is no note.
    os.close(descriptor)
    return None


def _is_body(path: Path, save: UnsettledSave) -> bool:
    return path.stat().st_size == save.size_bytes


def _bytes_here(save: UnsettledSave) -> int:
    return 0 if save.in_storage else save.size_bytes


def _write_body(path: Path, body: Body) -> None:
    if body.path is not None:
        path.hardlink_to(body.path)
        descriptor = os.open(path, os.O_RDONLY)
    else:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if body.path is None:
            _write_all(descriptor, body.in_memory())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
