"""A storage that fails at the moments that matter: before a write, and after it was stored."""

from collections import deque
from enum import Enum, auto
from typing import Any

from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.files import Evidence, Head
from genro_wopi.domain.storages import (
    Body,
    Storage,
    StorageBackend,
    StorageFaultError,
    StorageNode,
    StorageOpener,
)


class Fault(Enum):
    """What happens to one conditional write."""

    BEFORE = auto()
    """Nothing was stored."""
    AFTER = auto()
    """It was stored, and the answer is lost."""
    UNPUBLISHED = auto()
    """It was stored, and Redis is away when it is to be published."""


class FaultyOpener:
    """Implements `StorageOpener` over another one; `faults` are taken by writes in turn."""

    def __init__(self, opener: StorageOpener) -> None:
        self._opener = opener
        self.faults: deque[Fault] = deque()

    async def open(self, storage: Storage) -> StorageBackend:
        backend: Any = _Backend(await self._opener.open(storage), self.faults)
        return backend


class _Backend:
    def __init__(self, backend: StorageBackend, faults: deque[Fault]) -> None:
        self._backend, self._faults = backend, faults

    def node(self, path: Any) -> Any:
        return _Node(self._backend.node(path), self._faults)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class _Node:
    def __init__(self, node: StorageNode, faults: deque[Fault]) -> None:
        self._node, self._faults = node, faults

    async def write_if(self, body: Body, evidence: Evidence, expected: Head | None) -> Head:
        fault = self._faults.popleft() if self._faults else None
        if fault is Fault.BEFORE:
            raise StorageFaultError("cut before")
        head = await self._node.write_if(body, evidence, expected)
        if fault is Fault.AFTER:
            raise StorageFaultError("cut after")
        return head

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)


class FaultyLedger:
    """A ledger whose next publications fail."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger
        self.failing = 0

    async def publish(self, *arguments: Any) -> None:
        if self.failing:
            self.failing -= 1
            raise UnavailableError("Redis is away")
        await self._ledger.publish(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)
