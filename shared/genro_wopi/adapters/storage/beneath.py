"""Files and folders below one folder, reached by descriptors and never by a link.

Whoever can write to a folder can put symbolic links into it, and change them between a look and an
opening. So nothing here is opened by a whole path: a folder is opened beneath its root in one call
of the kernel that refuses links and ``..`` (``openat2`` of Linux), or name by name where there is
no such call; what lies in it is then named by that folder's descriptor.
"""

import ctypes
import errno
import os
import stat as stat_module
import struct
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_FILE: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""A pipe must not hold whoever opens it."""

_OPENAT2: Final = 437
"""The number of the call; the same on every architecture."""

_NO_LINKS: Final = 0x02 | 0x04
"""``RESOLVE_NO_MAGICLINKS`` and ``RESOLVE_NO_SYMLINKS``."""

_BENEATH: Final = _NO_LINKS | 0x08
"""``RESOLVE_BENEATH``."""

_AT_FDCWD: Final = -100
_UNAVAILABLE: Final = frozenset({errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.E2BIG})

NOT_REGULAR: Final = "not a regular file"

Opened = Callable[[int, str, int], int]


def _openat2() -> Opened | None:
    """Return the kernel's call; None where there is none, or a sandbox refuses it."""
    if not sys.platform.startswith("linux"):
        return None
    call = ctypes.CDLL(None, use_errno=True).syscall
    size = struct.calcsize("QQQ")
    how = {
        resolve: ctypes.create_string_buffer(struct.pack("QQQ", _FOLDER, 0, resolve), size)
        for resolve in (_NO_LINKS, _BENEATH)
    }

    def opened(folder: int, path: str, resolve: int) -> int:
        number = ctypes.c_long(_OPENAT2)
        while True:
            descriptor = int(call(number, folder, os.fsencode(path), how[resolve], size))
            if descriptor >= 0:
                return descriptor
            code = ctypes.get_errno()
            if code not in {errno.EAGAIN, errno.EINTR}:
                raise OSError(code, os.strerror(code), path)

    try:
        os.close(opened(_AT_FDCWD, "/", _NO_LINKS))
    except OSError as error:
        if error.errno in _UNAVAILABLE:
            return None
        raise
    return opened


_opened: Opened | None = _openat2()


class Beneath:
    """One folder, whose absolute path holds no links, and the folders in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def folder(self, segments: Sequence[str], *, create: bool = False) -> Generator[int]:
        """Open a folder below the root; the block has its descriptor.

        Raises:
            FileNotFoundError: a segment is missing, is no folder, is a link, or would lead out.
            OSError: the root itself cannot be opened, or is a link now.
        """
        for segment in segments:
            check_name(segment)
        root = open_root(self.root)
        try:
            descriptor = _made(root, segments) if create else _below(root, segments)
        finally:
            os.close(root)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def check_name(name: str) -> None:
    """Refuse what is not the name of one thing in a folder.

    Raises:
        FileNotFoundError: it would lead elsewhere; nothing can be there.
    """
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise FileNotFoundError(errno.ENOENT, "leads out of the folder", name)


def open_root(path: Path) -> int:
    """Open a folder by its absolute path, in which nothing may be a link."""
    try:
        if _opened is not None:
            return _opened(_AT_FDCWD, str(path), _NO_LINKS)
        return _walk(os.open(path.anchor, _FOLDER), path.parts[1:])
    except FileNotFoundError as error:  # Not "no such file": all of the storage is away.
        raise OSError(errno.ENODEV, "the storage's own folder is missing", str(path)) from error


def _below(root: int, segments: Sequence[str]) -> int:
    if not segments:
        return os.dup(root)
    try:
        if _opened is not None:
            return _opened(root, "/".join(segments), _BENEATH)
        return _walk(os.dup(root), segments)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EXDEV}:
            raise FileNotFoundError(errno.ENOENT, "no folder there", segments[-1]) from error
        raise


def _walk(descriptor: int, segments: Sequence[str]) -> int:
    """Open one folder after the other; the first descriptor is closed."""
    for segment in segments:
        try:
            deeper = os.open(segment, _FOLDER, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = deeper
    return descriptor


def _made(root: int, segments: Sequence[str]) -> int:
    with suppress(FileNotFoundError):
        return _below(root, segments)
    descriptor = os.dup(root)
    for segment in segments:
        try:
            with suppress(FileExistsError):
                os.mkdir(segment, dir_fd=descriptor)
            deeper = _below(descriptor, [segment])
        finally:
            os.close(descriptor)
        descriptor = deeper
    return descriptor


def look(folder: int, name: str) -> os.stat_result:
    """Return the status of a regular file in an open folder.

    Raises:
        FileNotFoundError: there is none; a link or a pipe is none.
    """
    check_name(name)
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat_module.S_ISREG(status.st_mode):
        raise FileNotFoundError(errno.ENOENT, NOT_REGULAR, name)
    return status


def is_there(folder: int, name: str) -> bool:
    """Tell whether there is a regular file of this name."""
    try:
        look(folder, name)
    except FileNotFoundError:
        return False
    return True


def open_file(folder: int, name: str) -> int:
    """Open a regular file for reading.

    Raises:
        FileNotFoundError: as `look`.
    """
    check_name(name)
    try:
        descriptor = os.open(name, os.O_RDONLY | _FILE, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise FileNotFoundError(errno.ENOENT, NOT_REGULAR, name) from error
        raise
    if not stat_module.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, NOT_REGULAR, name)
    return descriptor


def open_to_lock(folder: int, name: str) -> int:
    """Open a file, made where it is missing, to lock it."""
    check_name(name)
    return os.open(name, os.O_RDWR | os.O_CREAT | _FILE, 0o600, dir_fd=folder)


def create_file(folder: int, name: str, mode: int) -> int:
    """Open a new file for writing.

    Raises:
        FileExistsError: the name is taken.
    """
    check_name(name)
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, mode, dir_fd=folder)


def read_small(folder: int, name: str, size_bytes_max: int) -> bytes | None:
    """Read a small file whole; None where it is larger.

    Raises:
        FileNotFoundError: as `look`.
    """
    with os.fdopen(open_file(folder, name), "rb") as file:
        content = file.read(size_bytes_max + 1)
    return content if len(content) <= size_bytes_max else None


def link(folder: int, name: str, target_folder: int, target: str) -> None:
    """Give a file a second name; a link is never followed.

    Raises:
        FileExistsError: the name is taken.
    """
    check_name(name)
    check_name(target)
    places = {"src_dir_fd": folder, "dst_dir_fd": target_folder}
    os.link(name, target, follow_symlinks=False, **places)


def remove_quietly(folder: int, name: str) -> None:
    """Remove a leftover whose absence is as good."""
    check_name(name)
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
