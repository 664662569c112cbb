"""What a store must be able to do that neither keeps evidence nor takes conditions.

`sidecar` makes a full back end of it: class B, since a commit there is several requests under a
hold on the path, not one.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.storages import Body


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder as the store shows it."""

    name: str
    """In a folder's list; empty where the path itself was asked for."""
    is_folder: bool
    fingerprint: str
    """Changes whenever the bytes do; empty for a folder."""
    size_bytes: int
    modified_us: int


class Hold(Protocol):
    """A path that nobody else commits to or moves; how it is held is the store's matter."""

    @property
    def made_file(self) -> bool:
        """Whether holding the path made an empty file where nothing lay."""
        ...


class PlainStore(Protocol):
    """The store. Paths are checked before; errors are those of `StorageNode`."""

    storage_class: str
    """What the sidecar makes of it; see `ProbeReport`."""

    async def stat(self, path: StoragePath) -> Entry | None:
        """Return what lies at a path; None where nothing does."""
        ...

    def read(
        self, path: StoragePath, *, first: int = 0, last: int | None = None
    ) -> AbstractAsyncContextManager[tuple[Entry, AsyncIterator[bytes]]]:
        """Open a file; entry and bytes come from one handle where the store has such."""
        ...

    async def put(self, path: StoragePath, body: Body, hold: Hold | None = None) -> None:
        """Store a file whole; its folder is made. The old bytes stay until the new are whole."""
        ...

    async def copy(self, source: StoragePath, target: StoragePath) -> None:
        """Copy a file over whatever lies at the target; its folder is made."""
        ...

    async def rename(
        self, source: StoragePath, target: StoragePath, hold: Hold | None = None
    ) -> None:
        """Move a file or folder; the target's folder is made.

        Raises:
            AlreadyExistsError: something lies at the target.
        """
        ...

    async def remove(self, path: StoragePath) -> None:
        """Remove a file, or a folder with all in it. Safe to repeat."""
        ...

    async def list_folder(self, path: StoragePath, *, limit: int) -> list[Entry]:
        """List a folder by name."""
        ...

    async def make_folder(self, path: StoragePath) -> None:
        """Make a folder, with those above it; one that is there is fine."""
        ...

    def held(self, path: StoragePath) -> AbstractAsyncContextManager[Hold]:
        """Hold a path: of many callers one has it at a time.

        Raises:
            FileBusyError: somebody else holds it for too long.
        """
        ...

    async def probe(self) -> tuple[str, list[str]]:
        """Try what the store really does; return its class and the findings in words."""
        ...

    async def aclose(self) -> None:
        """Give back connections."""
        ...
