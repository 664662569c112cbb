"""The folder of a local cluster: files, Redis, secrets; one cluster at a time.

| name | what |
|---|---|
| `in-use` | locked by the cluster and all of its processes; holds the cluster's process id |
| `keys.json` | secrets that were drawn for this folder |
| `admin-token`, `public-url`, `redis-url` | for the command line and for scripts |
| `files`, `spool`, `redis` | documents, bodies that are on their way, the append-only file |
"""

import fcntl
import os
import secrets
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from genro_wopi.adapters.new_keys import new_encryption_key, new_signing_key
from genro_wopi.dev.errors import DevError
from genro_wopi.runtime.lifecycle import EXIT_CONFIGURATION

ENDING_S: Final = 10.0
"""How long the processes of a cluster that was killed may need to end."""


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """Secrets of a local cluster, made once and kept in its data folder."""

    admin_token: str
    internal_token: str
    encryption_keys: str
    signing_keys: str


class DataFolder(msgspec.Struct, frozen=True):
    """A data folder that this process holds."""

    path: Path
    lock: int
    """Descriptor that every process of the cluster inherits: the folder is free again when the
    last one has ended, so that never two Redis write to one append-only file."""

    @property
    def files(self) -> Path:
        """Where documents lie."""
        return self.path / "files"

    @property
    def spool(self) -> Path:
        """Where bodies wait until they are whole."""
        return self.path / "spool"

    @property
    def redis(self) -> Path:
        """Where Redis keeps its append-only file and its log."""
        return self.path / "redis"

    @property
    def admin_token(self) -> Path:
        """The file of the admin token."""
        return self.path / "admin-token"

    def keys(self, environment: Mapping[str, str]) -> Keys:
        """Return the secrets; draws them for a new folder.

        Raises:
            DevError: another version wrote them, or their file cannot be read or written.
        """
        file = self.path / "keys.json"
        given = environment.get("WOPI_ADMIN_TOKEN")
        with _explained(self.path):
            keys = _read(file) if file.exists() else _draw(file, given)
        return msgspec.structs.replace(keys, admin_token=given) if given else keys

    def note(self, name: str, content: str) -> None:
        """Write a small file that only its owner reads.

        Raises:
            DevError: it cannot be written.
        """
        with _explained(self.path):
            _write(self.path / name, content.encode())


@contextmanager
def held_folder(path: Path) -> Generator[DataFolder]:
    """Make the folder where it is missing, and hold it.

    Raises:
        DevError: another cluster uses it, or it cannot be used.
    """
    with _explained(path):
        folder = path.absolute()
        for part in ("files", "spool", "redis"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "in-use", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with _explained(path):
            _claim(lock, path)
            for part in (folder, folder / "files", folder / "spool", folder / "redis"):
                _try_writing(part)
        yield DataFolder(folder, lock)
    finally:
        os.close(lock)


@contextmanager
def _explained(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise DevError(
            f"the data folder {path} cannot be used: {error.strerror}{where}; choose another one"
            " with --data-dir"
        ) from error


def _claim(lock: int, path: Path) -> None:
    deadline_s = time.monotonic() + ENDING_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if _is_alive(lock) or time.monotonic() > deadline_s:
                raise DevError(_in_use(path)) from error
            time.sleep(0.05)
        else:
            break
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)


def _is_alive(lock: int) -> bool:
    """Tell whether the cluster that holds the folder runs; its processes outlive it shortly."""
    noted = os.pread(lock, 20, 0)
    if not noted.isdigit():
        return True
    try:
        os.kill(int(noted), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _in_use(path: Path) -> str:
    url = ""
    with suppress(OSError, UnicodeDecodeError):
        url = (path / "public-url").read_text("utf-8").strip()
    at = f", at {url}" if url else ""
    return (
        f"another cluster uses the data folder {path}{at}: open that one, or choose another folder"
        " with --data-dir and another port with --port"
    )


def _try_writing(folder: Path) -> None:
    """Fail now rather than in one of the processes."""
    probe = folder / f".writable-{os.getpid()}"
    try:
        probe.write_bytes(b"x")
    finally:
        with suppress(FileNotFoundError):
            probe.unlink()


def _draw(file: Path, admin_token: str | None) -> Keys:
    keys = Keys(
        admin_token=admin_token or secrets.token_urlsafe(32),
        internal_token=secrets.token_urlsafe(32),
        encryption_keys=new_encryption_key(),
        signing_keys=new_signing_key(),
    )
    _write(file, msgspec.json.encode(keys))
    return keys


def _read(file: Path) -> Keys:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Keys)
    except msgspec.DecodeError as error:
        raise DevError(
            f"{file} cannot be used ({error}): start the version that wrote it, or move the folder"
            f" {file.parent} out of the way to begin with an empty one",
            EXIT_CONFIGURATION,
        ) from error


def _write(file: Path, content: bytes) -> None:
    """Replace a file as a whole, so that a full disk or a crash leaves the old one."""
    draft = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        draft.replace(file)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
