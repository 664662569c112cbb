"""What the operations work with: the ports, and a file in its storage."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from genro_wopi.domain.access_tokens import TokenTrader, TokenVerifier
from genro_wopi.domain.budgets import Budgets
from genro_wopi.domain.clock import Clock
from genro_wopi.domain.editors import EditorDirectory
from genro_wopi.domain.errors import NotFoundError, UnavailableError
from genro_wopi.domain.files import FileRecord, FileRegistry, Head
from genro_wopi.domain.locks import LockStore
from genro_wopi.domain.moves import Mover
from genro_wopi.domain.rescues import RescueStore
from genro_wopi.domain.saves import SaveLedger
from genro_wopi.domain.secrets import SecretRing
from genro_wopi.domain.sessions import SessionStore
from genro_wopi.domain.storages import StorageFaultError, StorageNode, StorageOpener
from genro_wopi.domain.tenants import Directory
from genro_wopi.wopi_service.operations.proofs import ProofChecker

READ_PATIENCE_S: Final = 3.0
CHECK_PATIENCE_S: Final = 25.0
"""An editor whose save was answered 503 asks CheckFileInfo, and gives the document up if that fails
too; it waits for the answer for 30 s."""

OPEN_PATIENCE_S: Final = 10.0
"""For the first byte of a document."""

LOCK_PATIENCE_S: Final = 20.0
"""A LOCK that fails, a refresh too, makes Collabora's session read-only: wait before that."""

SAVE_PATIENCE_S: Final = 15.0
"""After the body; Collabora gives up at 30 s."""

SAVE_WHOLE_S: Final = 25.0
"""With its body, where that took no longer."""

_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Between two attempts at what is away; the last one repeats."""

T = TypeVar("T")


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The ports of the wopi-service."""

    tokens: TokenVerifier
    proofs: ProofChecker
    sessions: SessionStore
    registry: FileRegistry
    locks: LockStore
    ledger: SaveLedger
    rescues: RescueStore
    budgets: Budgets
    directory: Directory
    storages: StorageOpener
    mover: Mover
    trader: TokenTrader
    editors: EditorDirectory
    clock: Clock
    ring: SecretRing
    public_url: str
    src_url: str
    patience_s: float = CHECK_PATIENCE_S
    """No outage is waited for longer, whatever is asked."""

    @property
    def public_origin(self) -> str:
        """Scheme and host of the address that browsers know."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    def deadline(self, patience_s: float) -> float:
        """Return the monotonic time until which an outage is waited for."""
        return self.clock.monotonic_s() + min(patience_s, self.patience_s)


async def patiently(host: Host, deadline_s: float, attempt: Callable[[], Awaitable[T]]) -> T:
    """Do again what fails since Redis or a storage is away, until a moment.

    Raises:
        UnavailableError, StorageFaultError: it was away until then.
    """
    failures = 0
    while True:
        try:
            return await attempt()
        except (UnavailableError, StorageFaultError):
            pause_s = _PAUSES_S[min(failures, len(_PAUSES_S) - 1)]
            if host.clock.monotonic_s() + pause_s > deadline_s:
                raise
        failures += 1
        await asyncio.sleep(pause_s)


async def node_of(host: Host, file: FileRecord) -> StorageNode:
    """Return the node of a file that lies still.

    Raises:
        NotFoundError: the file was deleted; tenant or storage is gone or not active.
    """
    if file.moving_to:
        file = await host.mover.settled(file.file_id, deadline_s=host.deadline(READ_PATIENCE_S))
    if file.is_deleted or file.is_folder:
        raise NotFoundError("There is no such file.")
    storage = await host.directory.storage(file.tenant_id, file.storage_name)
    backend = await host.storages.open(storage)
    return backend.node(file.path)


async def existing(host: Host, file: FileRecord) -> tuple[StorageNode, Head]:
    """Return a file's node and head; looks again where it was moved in between.

    Raises:
        NotFoundError: it is not in its storage any more.
    """
    node = await node_of(host, file)
    head = await node.stat()
    if head is None:
        deadline_s = host.deadline(READ_PATIENCE_S)
        node = await node_of(host, await host.mover.settled(file.file_id, deadline_s=deadline_s))
        head = await node.stat()
    if head is None:
        raise NotFoundError("The file is not in its storage any more.")
    return node, head
