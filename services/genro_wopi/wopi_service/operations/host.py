"""What the operations work with: the ports, and one request of an editor."""

from typing import Final

import msgspec

from genro_wopi.domain.access_tokens import TokenVerifier
from genro_wopi.domain.clock import Clock
from genro_wopi.domain.commit import SaveLedger
from genro_wopi.domain.editors import EditorDirectory
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.files import FileRecord, FileRegistry, Head
from genro_wopi.domain.identifiers import FileId
from genro_wopi.domain.locks import LockStore
from genro_wopi.domain.moves import Mover
from genro_wopi.domain.rescues import RescueStore
from genro_wopi.domain.sessions import Admission, Purpose, SessionStore
from genro_wopi.domain.storages import StorageNode, StorageOpener
from genro_wopi.domain.tenants import Directory
from genro_wopi.protocol.proof import ProofHeaders
from genro_wopi.wopi_service.operations.proofs import ProofChecker

READ_PATIENCE_S: Final = 3.0
LOCK_PATIENCE_S: Final = 20.0
"""A LOCK that fails, a refresh too, makes Collabora's session read-only: wait before that."""

SAVE_PATIENCE_S: Final = 15.0
"""After the body; Collabora gives up at 30 s."""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The ports of the wopi-service."""

    tokens: TokenVerifier
    proofs: ProofChecker
    sessions: SessionStore
    registry: FileRegistry
    locks: LockStore
    ledger: SaveLedger
    rescues: RescueStore
    directory: Directory
    storages: StorageOpener
    mover: Mover
    editors: EditorDirectory
    clock: Clock
    public_url: str

    def deadline(self, patience_s: float) -> float:
        """Return the monotonic time until which an outage is waited for."""
        return self.clock.monotonic_s() + patience_s


class EditorRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, for which file, and how the request proves itself."""

    file_id: FileId
    token: str
    target: str
    """Path and query exactly as they were sent; they are part of the proof."""
    proof: ProofHeaders
    request_id: str


async def admit(
    host: Host, request: EditorRequest, purpose: Purpose, *, patience_s: float = READ_PATIENCE_S
) -> Admission:
    """Check token and proof, then let the request in with one round trip.

    Raises:
        UnauthenticatedError: the token does not count, or belongs to another file.
        ProofRefusedError: the request was not signed by the session's editor.
        UnavailableError: Redis stayed away.
    """
    claims = host.tokens.verify(request.token)
    if claims.file_id != request.file_id:
        raise host.proofs.wrong_file()
    await host.proofs.check(claims.editor, request.token, request.target, request.proof)
    return await host.sessions.admit(
        claims.session_id, claims.file_id, purpose, deadline_s=host.deadline(patience_s)
    )


async def node_of(host: Host, file: FileRecord) -> StorageNode:
    """Return the node of a file that lies still.

    Raises:
        NotFoundError: the file was deleted; tenant or storage is gone or not active.
    """
    if file.moving_to:
        file = await host.mover.settled(file.file_id, deadline_s=host.deadline(READ_PATIENCE_S))
    if file.is_deleted:
        raise NotFoundError("The file was deleted.")
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
