"""Recovery copies: what was received whole and cannot be stored where it belongs.

A copy lies in the file's own storage, is listed, announced by ``save_rescued``, and can be taken
back. What sessions send that have ended, or that may only read, is bounded for each of them and for
the tenant, so that nobody fills a storage with it.
"""

import msgspec

from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.errors import HostError, NotFoundError, SuspendedError
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.locks import LockRequest
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.moves import original_path
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.rescues import Rescue, rescue_note
from genro_wopi.domain.sessions import Session, SessionEndedError
from genro_wopi.domain.storages import Body, StorageNode
from genro_wopi.protocol.lock_id import LockId
from genro_wopi.wopi_service.operations.host import LOCK_PATIENCE_S, Host


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A save that is not stored."""

    claims: AccessClaims
    file: FileRecord
    session: Session | None
    """None where nothing is known of it any more."""
    is_bounded: bool
    """It counts against what its session and its tenant may keep."""
    lock_id: LockId | None
    save_id: str


async def keep_aside(host: Host, refused: Refused, body: Body, refusal: HostError) -> None:
    """Keep a refused body; the refusal names its copy then. Release the lock of who has ended.

    Raises:
        UnavailableError, StorageFaultError, StorageFullError: not even that could be done now, or
            nobody could be told; the editor is asked to send it again.
    """
    if not refusal.nothing_typed:
        refusal.recovery_id = await _kept(host, refused, body, str(refusal))
    if isinstance(refusal, SessionEndedError | SuspendedError):
        await _leave(host, refused)


async def _kept(host: Host, refused: Refused, body: Body, reason: str) -> str:
    """Return the id of the copy; empty where none could be kept."""
    node = await _node(host, refused.file)
    if node is None:
        return ""
    rescue = _rescue(host, refused, body, reason)
    if refused.is_bounded:
        room = await host.rescues.make_room(rescue)
        if room.is_full:
            return ""
        known = room.known_id and await host.rescues.get(rescue.tenant_id, room.known_id)
        if known:
            await host.ledger.announce_rescue(known)
            return known.rescue_id
        if room.known_id:
            rescue = msgspec.structs.replace(rescue, rescue_id=room.known_id)
        for rescue_id in room.replaced_ids:
            await _discard(host, node, rescue, rescue_id)
    note = MemoryBody(msgspec.json.encode(rescue))
    await node.rescue(body, rescue.rescue_id)
    await node.rescue(note, rescue_note(rescue.rescue_id))
    await host.rescues.put(rescue)
    await host.ledger.announce_rescue(rescue)
    return rescue.rescue_id


async def _node(host: Host, file: FileRecord) -> StorageNode | None:
    """Return a node of the file's storage; None where the storage was removed."""
    try:
        storage = await host.directory.storage(
            file.tenant_id, file.storage_name, even_suspended=True
        )
    except NotFoundError:
        return None
    return (await host.storages.open(storage)).node(file.path)


def _rescue(host: Host, refused: Refused, body: Body, reason: str) -> Rescue:
    claims, session = refused.claims, refused.session
    return Rescue(
        rescue_id=refused.save_id,
        tenant_id=refused.file.tenant_id,
        storage_name=refused.file.storage_name,
        file_id=claims.file_id,
        file_path=_shown_path(refused.file),
        session_id=claims.session_id,
        account=session.account if session else "",
        user=session.user if session else claims.user,
        size_bytes=body.size_bytes,
        sha256=body.sha256,
        reason=reason,
        rescued_us=host.clock.now_us(),
    )


def _shown_path(file: FileRecord) -> StoragePath:
    """Return where people know the file: a deleted one lay elsewhere before."""
    return original_path(file.path) if file.is_deleted else file.path


async def _discard(host: Host, node: StorageNode, rescue: Rescue, rescue_id: str) -> None:
    older = msgspec.structs.replace(rescue, rescue_id=rescue_id)
    try:
        await node.discard_rescued(rescue_id)
        await node.discard_rescued(rescue_note(rescue_id))
        await host.rescues.forget(older)
    except HostError:
        return  # It ends with its time.


async def _leave(host: Host, refused: Refused) -> None:
    """Release the lock that it shows, unless others have the document open."""
    if refused.lock_id is None or not refused.claims.can_edit:
        return
    claims = refused.claims
    request = LockRequest(
        file_id=claims.file_id,
        session_id=claims.session_id,
        lock_id=refused.lock_id,
        request_id=refused.save_id,
        attempt=0,
        can_edit=claims.can_edit,
        holder=claims.user,
        editor=claims.address,
        tenant_id=claims.tenant_id,
    )
    try:
        await host.locks.leave(request, deadline_s=host.deadline(LOCK_PATIENCE_S))
    except HostError:
        return  # Another lock holds the file, or Redis is away: it ends by itself.
