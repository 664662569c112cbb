"""What a tenant can do to its own storage past the host: every byte of it is its own.

Forged notes, histories and evidence, links, pipes, folders where files should be, garbage. A bucket
is written to as the host's own objects are.
"""

import contextlib
import json
import os
import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from genro_wopi.domain.paths import StoragePath, history_folder
from tests.hostile import values
from tests.hostile.odd_servers import EVIDENCE
from tests.hostile.stage import HOST_FILE, s3_headers

FILES = ("told.txt", "work.txt", "payroll.txt", "gone.txt")
BIG_BYTES = 2_000_000


@dataclass
class Below:
    """The folder and the bucket of a tenant, and where it would like to be instead."""

    chance: random.Random
    folder: Path
    bucket_url: str
    victim_id: str
    victim_folder: Path
    outside: Path
    allowed: set[str]
    """What its tenant wrote, and may be shown again."""

    def change_any(self, file_ids: list[str]) -> str:
        """Change something; returns what."""
        self.allowed |= {*file_ids, self.victim_id}
        acts = (
            lambda: self.forge_note(self.chance.choice(file_ids)),
            lambda: self.forge_history(self.chance.choice(file_ids)),
            lambda: self.forge_deleted(self.chance.choice(file_ids)),
            self.link_in_history,
            self.link_anywhere,
            self.garble,
            self.make_pipe,
            self.swap_kinds,
            lambda: self.write_object(self.chance.choice(file_ids)),
        )
        with contextlib.suppress(OSError):
            return self.chance.choice(acts)()
        return "nothing"

    def forge_note(self, file_id: str, **fields: Any) -> str:
        """Write a recovery copy and a note that points to somebody else's file."""
        self.allowed |= {file_id, self.victim_id}
        number = self.chance.randrange(10**6)
        name = f"20260101T103000{number:06d}-intruder{number % 97:02d}"
        victim = f"../{self.victim_id}"
        note = {
            "rescue_id": self.chance.choice((name, f"../../{victim}/payroll.txt")),
            "tenant_id": self.chance.choice((self.folder.name, self.victim_id)),
            "storage_name": "docs",
            "file_id": file_id,
            "file_path": self.chance.choice((f"{victim}/told.txt", "told.txt", "../outside")),
            "session_id": "intruder",
            "account": "intruder",
            "user": "intruder",
            "size_bytes": 8,
            "sha256": "0" * 64,
            "reason": "intruder",
            "rescued_us": self.chance.choice((1, int(time.time() * 1e6), -1, 2**62)),
        }
        place = self._made(self.folder / ".genro-wopi" / "recovery")
        (place / name).write_bytes(b"intruder")
        (place / f"{name}.json").write_text(json.dumps(self._spoiled(note | fields)))
        return f"forged a recovery note {name}"

    def forge_history(self, file_id: str) -> str:
        """Write a commit record that names another file, a version that is none, or nothing."""
        place = self._history()
        latest = max((int(p.stem) for p in place.glob("*.json") if p.stem.isdigit()), default=0)
        number = latest + self.chance.choice((0, 1, 1, 10**6))
        evidence = {
            "save_id": self.chance.choice(("intruder", "../../../../x", "")),
            "session": "intruder",
            "epoch": self.chance.choice((0, -1, 2**62)),
            "attempt": 0,
            "base": "",
            "sequence": self.chance.choice((1, 2**62, -5)),
            "version": self.chance.choice(("1.intruder", "../x", "")),
            "last_modified_us": self.chance.choice((0, -1, 2**62, 10**18)),
            "sha256": "0" * 64,
            "file_id": file_id,
        }
        record = {
            "number": self.chance.choice((number, -1, 0)),
            "evidence": self._spoiled(evidence),
            "fingerprint": self._fingerprint(),
            "replaced": "",
        }
        (place / f"{number:010d}.json").write_text(json.dumps(record))
        return f"forged a history record {place.name}/{number}"

    def forge_deleted(self, file_id: str) -> str:
        """Lay a file among the deleted ones, as if it had an id of somebody else's."""
        name = self.chance.choice((f"1767225600000000-{file_id}", f"x-{file_id}", "\u00b2-", "-"))
        place = self._made(self.folder / ".genro-wopi" / "deleted" / name)
        (place / "told.txt").write_bytes(b"intruder")
        return f"forged a deleted file {name}"

    def link_in_history(self) -> str:
        """Let a version, or its record, be a link to what is not its own."""
        place = self._history()
        found = [p for p in place.iterdir() if not p.is_symlink()]
        name = self.chance.choice(found).name if found else "0000000001.before"
        self._link(place / name, self._goal())
        return f"linked a history entry {name}"

    def link_anywhere(self) -> str:
        """Let a file or a folder be a link to what is not its own."""
        own = self.folder / ".genro-wopi"
        places = (
            self.folder / "link.txt",
            self.folder / "told.txt",
            own / "recovery" / f"2026-link{self.chance.randrange(9)}",
            own / "history" / "link",
        )
        place = self.chance.choice(places)
        self._made(place.parent)
        self._link(place, self._goal())
        self._link(self.folder / "linked", self.victim_folder)
        return f"linked {place.name}"

    def garble(self) -> str:
        """Write garbage over something that the host keeps."""
        kept = [p for p in (self.folder / ".genro-wopi").rglob("*.json") if not p.is_symlink()]
        place = self.chance.choice(kept) if kept else self._history() / "0000000001.json"
        content = self.chance.choice(
            (b"", b"\x00" * 40, b"null", b"[]", b"{}", values.deep(self.chance), b"x" * BIG_BYTES)
        )
        place.write_bytes(content)
        return f"garbled {place.name}"

    def make_pipe(self) -> str:
        """Put a pipe where a file could be: whoever opens it waits for ever."""
        place = self.chance.choice(
            (self.folder / "pipe.txt", self._history() / "0000000009.before")
        )
        if not place.exists():
            os.mkfifo(place)
        return f"made a pipe {place.name}"

    def swap_kinds(self) -> str:
        """Put a folder where a file was, or a file where a folder was."""
        place = self.folder / self.chance.choice(("gone.txt", "a", ".genro-wopi/recovery"))
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
            place.write_bytes(b"intruder")
        else:
            place.unlink(missing_ok=True)
            self._made(place)
        return f"swapped {place.name}"

    def write_object(self, file_id: str) -> str:
        """Write an object of the bucket with made-up evidence."""
        keys = (
            "told.txt",
            f".genro-wopi/recovery/2026-intruder{self.chance.randrange(9)}",
            ".genro-wopi/recovery/2026-intruder.json",
            f".genro-wopi/deleted/1767225600000000-{file_id}/told.txt",
            f".genro-wopi/history/{self.chance.randrange(99)}",
            "a/../b",
            "//x",
        )
        headers = s3_headers()
        for name in EVIDENCE:
            if self.chance.random() < 0.5:
                headers[f"x-amz-meta-genro-{name}"] = self.chance.choice(
                    (file_id, "-1", "x", "9" * 40)
                )
        body = self.chance.choice((b"intruder", b"{}", values.deep(self.chance)))
        url = f"{self.bucket_url}/{self.chance.choice(keys)}"
        with contextlib.suppress(httpx.HTTPError):
            httpx.put(url, headers=headers, content=body, timeout=10)
        return f"wrote an object {url.rpartition('/')[2]}"

    def _spoiled(self, record: dict[str, Any]) -> dict[str, Any]:
        if self.chance.random() < 0.4:
            record[self.chance.choice(sorted(record))] = values.odd(self.chance)
        return record

    def _history(self) -> Path:
        folder = history_folder(StoragePath(self.chance.choice(FILES)))
        return self._made(self.folder / folder)

    def _fingerprint(self) -> str:
        with contextlib.suppress(OSError):
            status = (self.folder / "told.txt").stat()
            return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
        return "x"

    def _goal(self) -> Path:
        return self.chance.choice(
            (
                self.victim_folder / "payroll.txt",
                self.victim_folder / "told.txt",
                self.victim_folder / ".genro-wopi",
                self.outside / HOST_FILE,
                self.outside,
                self.outside.parent / "data" / "keys.json",
            )
        )

    def _made(self, place: Path) -> Path:
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _link(self, place: Path, goal: Path) -> None:
        if place.is_dir() and not place.is_symlink():
            return
        place.unlink(missing_ok=True)
        place.symlink_to(goal)
