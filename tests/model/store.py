"""One file of a simulated storage: writes are on their way, arrive late, or without an answer."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.files import Evidence, Head, KeptVersion
from genro_wopi.domain.storages import Body, HeadChangedError, StorageFaultError

Gate = Callable[[], Awaitable[None]]


def encode(updates: set[str]) -> bytes:
    """Write a document: the set of updates that were typed into it."""
    return json.dumps(sorted(updates)).encode()


def decode(content: bytes) -> set[str]:
    """Read a document."""
    return set(json.loads(content))


@dataclass
class Write:
    """A conditional write on its way to the storage."""

    body: bytes
    evidence: Evidence
    expected: str | None
    """Fingerprint; None for whatever is there."""
    outcome: str = ""
    """won, refused or lost once its sender knows; empty before."""
    head: Head | None = None
    """What it made, where it won."""


@dataclass
class Store:
    """One file of a storage, and the writes that are on their way to it."""

    gate: Gate
    content: bytes = encode({"start"})
    evidence: Evidence | None = None
    number: int = 0
    modified_us: int = 1_000
    under_way: list[Write] = field(default_factory=list[Write])
    kept: list[tuple[bytes, Evidence | None]] = field(
        default_factory=list[tuple[bytes, Evidence | None]]
    )
    """What was replaced, the oldest first."""
    copies: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """Recovery copies, and the notes beside them."""
    is_away: Callable[[], bool] = lambda: False

    async def reach(self) -> None:
        """Wait for one's turn.

        Raises:
            StorageFaultError: the storage is away.
        """
        await self.gate()
        if self.is_away():
            raise StorageFaultError("away")

    @property
    def head(self) -> Head:
        return Head(
            fingerprint=f"f{self.number}",
            size_bytes=len(self.content),
            modified_us=self.modified_us,
            evidence=self.evidence,
        )

    def land(self, write: Write) -> None:
        """Let a write arrive: the storage compares and stores in one step."""
        self.under_way.remove(write)
        if write.expected not in {None, self.head.fingerprint}:
            write.outcome = write.outcome or "refused"
            return
        self.content, self.evidence, self.number = write.body, write.evidence, self.number + 1
        self.modified_us = write.evidence.last_modified_us
        write.outcome, write.head = write.outcome or "won", self.head

    def write_outside(self, update: str) -> None:
        """Let another program add its own, on top of what is there."""
        updates = decode(self.content) | {update}
        self.content, self.evidence, self.number = encode(updates), None, self.number + 1
        self.modified_us = SystemClock().now_us()


class Node:
    """The part of `StorageNode` that saves use."""

    def __init__(self, store: Store, path: str) -> None:
        self._store = store
        self.path = path

    async def stat(self) -> Head:
        await self._store.reach()
        return self._store.head

    async def keep(self, head: Head) -> None:
        await self._store.reach()
        if self._store.head.fingerprint != head.fingerprint:
            raise HeadChangedError("changed")
        self._store.kept.append((self._store.content, self._store.evidence))

    async def versions(self, *, limit: int) -> list[KeptVersion]:
        await self._store.reach()
        kept = list(enumerate(self._store.kept))[::-1][:limit]
        return [
            KeptVersion(
                key=str(number),
                size_bytes=len(content),
                modified_us=0,
                evidence=evidence,
            )
            for number, (content, evidence) in kept
        ]

    async def rescue(self, body: Body, rescue_id: str) -> None:
        await self._store.reach()
        self._store.copies[rescue_id] = body.in_memory()

    @asynccontextmanager
    async def open_rescued(self, rescue_id: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        await self._store.reach()
        content = self._store.copies[rescue_id]

        async def chunks() -> AsyncGenerator[bytes]:
            yield content

        yield chunks()

    async def discard_rescued(self, rescue_id: str) -> None:
        await self._store.reach()
        self._store.copies.pop(rescue_id, None)

    async def write_if(self, body: Body, evidence: Evidence, expected: Head) -> Head:
        return await self.write(body, evidence, expected.fingerprint)

    async def write(self, body: Body, evidence: Evidence, expected: str | None) -> Head:
        await self._store.reach()
        write = Write(body.in_memory(), evidence, expected)
        self._store.under_way.append(write)
        while not write.outcome:
            await self._store.gate()
        if write.outcome == "lost":
            raise StorageFaultError("no answer")
        if write.outcome == "refused":
            raise HeadChangedError("refused")
        assert write.head is not None
        return write.head
