"""A back end that is watched: its calls are timed, and it is left alone while it keeps failing."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Final, Protocol, TypeVar

from genro_wopi.adapters.tracing import SpanScope, span
from genro_wopi.domain.circuit import Circuit
from genro_wopi.domain.errors import HostError
from genro_wopi.domain.files import Evidence, Head, KeptVersion
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.storages import (
    Body,
    Capabilities,
    FolderEntry,
    FolderPage,
    OddAnswerError,
    OpenFile,
    ProbeReport,
    StorageBackend,
    StorageFaultError,
    StorageNode,
    StorageProtocol,
)

T = TypeVar("T")


class StorageObserver(Protocol):
    """Where it is counted what storages do."""

    def called(
        self, protocol: StorageProtocol, operation: str, seconds: float, *, failed: bool
    ) -> None:
        """Take one call that was made."""
        ...

    def circuit(self, protocol: StorageProtocol, *, is_open: bool) -> None:
        """Take that a storage of this protocol is left alone from now on, or is called again."""
        ...

    def bad_record(self, protocol: StorageProtocol, kind: str) -> None:
        """Take that something in a storage was passed over: it cannot be read, or another's.

        Args:
            protocol: of the storage.
            kind: ``history``, ``evidence``, ``note`` or ``name``.
        """
        ...

    def odd_answer(self, protocol: StorageProtocol, operation: str, error: Exception) -> None:
        """Take that a storage answered what its back end does not understand."""
        ...


class Unobserved:
    """Implements `StorageObserver` for programs that count nothing."""

    def called(
        self, protocol: StorageProtocol, operation: str, seconds: float, *, failed: bool
    ) -> None:
        """See StorageObserver."""

    def circuit(self, protocol: StorageProtocol, *, is_open: bool) -> None:
        """See StorageObserver."""

    def bad_record(self, protocol: StorageProtocol, kind: str) -> None:
        """See StorageObserver."""

    def odd_answer(self, protocol: StorageProtocol, operation: str, error: Exception) -> None:
        """See StorageObserver."""


class Watch:
    """What is watched of one storage: its circuit and its observer."""

    def __init__(
        self, protocol: StorageProtocol, circuit: Circuit, observer: StorageObserver
    ) -> None:
        self.protocol: Final = protocol
        self.circuit: Final = circuit
        self.observer: Final = observer

    def call(self, operation: str, *, is_last_resort: bool = False) -> "_Call":
        """Watch one call.

        Args:
            operation: as it is counted.
            is_last_resort: it is made even where the storage is left alone, since what it carries
                has no second chance.
        """
        return _Call(self, operation, is_last_resort=is_last_resort)

    def understood(self, operation: str, error: BaseException | None) -> OddAnswerError | None:
        """Say in the domain's words what a back end did not expect; None where it did.

        Back ends check what stores answer. Whatever an answer makes them raise all the same, be it
        an error of a library that nobody knew of, is that storage's fault and no end of a process.
        """
        if error is None or not isinstance(error, Exception) or isinstance(error, HostError):
            return None
        self.observer.odd_answer(self.protocol, operation, error)
        odd = OddAnswerError("The storage answers what this host does not understand.")
        odd.__cause__ = error
        return odd

    async def uncounted(self, operation: str, work: Awaitable[T]) -> T:
        """Wait for what says nothing about how well the store is."""
        try:
            return await work
        except Exception as error:
            odd = self.understood(operation, error)
            if odd is None:
                raise
            raise odd from error

    async def read(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Watch the bytes of an open file."""
        try:
            async for chunk in chunks:
                yield chunk
        except Exception as error:
            odd = self.understood("read", error)
            if odd is None:
                raise
            raise odd from error


class _Call:
    """One call, as a context: refused where the circuit is open, timed otherwise."""

    __slots__ = ("_is_last_resort", "_operation", "_span", "_started_s", "_watch")

    def __init__(self, watch: Watch, operation: str, *, is_last_resort: bool) -> None:
        self._watch = watch
        self._operation = operation
        self._is_last_resort = is_last_resort
        self._started_s = 0.0
        self._span: SpanScope = span(f"storage {operation}", protocol=watch.protocol)

    def __enter__(self) -> None:
        if not self._is_last_resort:
            self._watch.circuit.enter()
        self._span.__enter__()
        self._started_s = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        watch, seconds = self._watch, time.perf_counter() - self._started_s
        self._span.__exit__(kind, error, traceback)
        odd = watch.understood(self._operation, error)
        error = odd or error
        was_open, is_fault = watch.circuit.is_open, isinstance(error, StorageFaultError)
        if is_fault:
            watch.circuit.failed()
        elif error is None or isinstance(error, Exception):
            watch.circuit.succeeded()
        if watch.circuit.is_open is not was_open:
            watch.observer.circuit(watch.protocol, is_open=watch.circuit.is_open)
        watch.observer.called(watch.protocol, self._operation, seconds, failed=is_fault)
        if odd is not None:
            raise odd from odd.__cause__


class WatchedNode:
    """Implements `StorageNode` around another one."""

    __slots__ = ("_node", "_watch")

    def __init__(self, node: StorageNode, watch: Watch) -> None:
        self._node = node
        self._watch = watch

    @property
    def path(self) -> StoragePath:
        """See StorageNode."""
        return self._node.path

    @property
    def capabilities(self) -> Capabilities:
        """See StorageNode."""
        return self._node.capabilities

    async def stat(self) -> Head | None:
        """See StorageNode."""
        with self._watch.call("stat"):
            return await self._node.stat()

    @asynccontextmanager
    async def open_read(
        self, *, first: int = 0, last: int | None = None
    ) -> AsyncGenerator[OpenFile]:
        """See StorageNode; counted is the time until the first byte can be read."""
        async with AsyncExitStack() as stack:
            with self._watch.call("read"):
                opening = self._node.open_read(first=first, last=last)
                opened = await stack.enter_async_context(opening)
            yield OpenFile(opened.head, self._watch.read(opened.chunks))

    async def presigned_url(self, *, life_s: int) -> str | None:
        """See StorageNode."""
        return await self._watch.uncounted("sign", self._node.presigned_url(life_s=life_s))

    async def write_if(self, body: Body, evidence: Evidence, expected: Head | None) -> Head:
        """See StorageNode."""
        with self._watch.call("write"):
            return await self._node.write_if(body, evidence, expected)

    async def keep(self, head: Head) -> None:
        """See StorageNode."""
        with self._watch.call("keep"):
            await self._node.keep(head)

    async def versions(self, *, limit: int) -> list[KeptVersion]:
        """See StorageNode."""
        with self._watch.call("versions"):
            return await self._node.versions(limit=limit)

    async def find_version(self, version: str) -> KeptVersion | None:
        """See StorageNode."""
        with self._watch.call("versions"):
            return await self._node.find_version(version)

    def open_version(self, key: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See StorageNode."""
        return self._opened("read", self._node.open_version(key))

    async def discard_version(self, key: str) -> None:
        """See StorageNode."""
        with self._watch.call("discard"):
            await self._node.discard_version(key)

    async def tidy(self) -> None:
        """See StorageNode."""
        with self._watch.call("tidy"):
            await self._node.tidy()

    async def rescue(self, body: Body, rescue_id: str) -> None:
        """See StorageNode; tried even where the storage is left alone."""
        with self._watch.call("rescue", is_last_resort=True):
            await self._node.rescue(body, rescue_id)

    def open_rescued(self, rescue_id: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See StorageNode."""
        return self._opened("read", self._node.open_rescued(rescue_id))

    async def discard_rescued(self, rescue_id: str) -> None:
        """See StorageNode."""
        with self._watch.call("discard"):
            await self._node.discard_rescued(rescue_id)

    @asynccontextmanager
    async def _opened(
        self, operation: str, opening: AbstractAsyncContextManager[AsyncIterator[bytes]]
    ) -> AsyncGenerator[AsyncIterator[bytes]]:
        async with AsyncExitStack() as stack:
            with self._watch.call(operation):
                chunks = await stack.enter_async_context(opening)
            yield self._watch.read(chunks)


class WatchedBackend:
    """Implements `StorageBackend` around another one."""

    def __init__(self, backend: StorageBackend, watch: Watch) -> None:
        self._backend = backend
        self._watch = watch

    def node(self, path: StoragePath) -> StorageNode:
        """See StorageBackend."""
        return WatchedNode(self._backend.node(path), self._watch)

    async def list_folder(self, path: StoragePath, *, limit: int) -> list[FolderEntry]:
        """See StorageBackend."""
        with self._watch.call("list"):
            return await self._backend.list_folder(path, limit=limit)

    async def list_page(self, path: StoragePath, *, limit: int, cursor: str) -> FolderPage:
        """See StorageBackend."""
        with self._watch.call("list"):
            return await self._backend.list_page(path, limit=limit, cursor=cursor)

    async def make_folder(self, path: StoragePath) -> None:
        """See StorageBackend."""
        with self._watch.call("folder"):
            await self._backend.make_folder(path)

    async def remove_folder(self, path: StoragePath) -> None:
        """See StorageBackend."""
        with self._watch.call("folder"):
            await self._backend.remove_folder(path)

    async def move(
        self, source: StoragePath, target: StoragePath, *, resumed: bool = False
    ) -> Head:
        """See StorageBackend."""
        with self._watch.call("move"):
            return await self._backend.move(source, target, resumed=resumed)

    async def purge(self, path: StoragePath) -> None:
        """See StorageBackend."""
        with self._watch.call("purge"):
            await self._backend.purge(path)

    async def probe(self) -> ProbeReport:
        """See StorageBackend; what it finds is an operator's question, and asked in any case."""
        return await self._watch.uncounted("probe", self._backend.probe())

    async def aclose(self) -> None:
        """See StorageBackend."""
        if self._watch.circuit.is_open:
            self._watch.observer.circuit(self._watch.protocol, is_open=False)
        await self._backend.aclose()
