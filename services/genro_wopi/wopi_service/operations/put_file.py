"""PutFile: receive the whole body, then commit it once.

A body that was received whole and is refused is kept as a recovery copy and announced; nothing that
somebody typed is thrown away.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/putfile
"""

import msgspec

from genro_wopi.domain.commit import Commit
from genro_wopi.domain.errors import (
    FileChangedError,
    HostError,
    LockMismatchError,
    UnauthenticatedError,
)
from genro_wopi.domain.identifiers import new_save_id
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.rescues import Rescue, rescue_note
from genro_wopi.domain.saves import FileMovedError, Save, Saved
from genro_wopi.domain.sessions import Admission, Purpose
from genro_wopi.domain.storages import Body, StorageNode
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.protocol.lock_id import LockId, parse_lock_id
from genro_wopi.protocol.put_file import PutFileHeaders
from genro_wopi.wopi_service.operations.admission import EditorRequest, admit
from genro_wopi.wopi_service.operations.host import SAVE_PATIENCE_S, Host, node_of
from genro_wopi.wopi_service.operations.locks import require_lock_id


class SaveRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A PutFile that was let in; its body comes next."""

    admission: Admission
    lock_id: LockId | None
    headers: PutFileHeaders


async def admit_save(
    host: Host, request: EditorRequest, lock: str | None, headers: PutFileHeaders
) -> SaveRequest:
    """Let a save in before its body is read.

    Raises:
        UnauthenticatedError: the token does not count, or the session may not change the file.
        InvalidRequestError: X-WOPI-Lock is not a lock.
        ProofRefusedError: the request was not signed by the session's editor.
    """
    if lock and parse_lock_id(lock) is None:
        require_lock_id(lock, "X-WOPI-Lock")
    admission = await admit(host, request, Purpose.SAVE, patience_s=SAVE_PATIENCE_S)
    if not admission.session.can_edit:
        raise UnauthenticatedError("This session may not change the file.")
    return SaveRequest(admission=admission, lock_id=LockId(lock) if lock else None, headers=headers)


async def commit_save(host: Host, save_request: SaveRequest, body: Body) -> Saved:
    """Commit a body that was received whole.

    Raises:
        LockMismatchError: another lock holds the file, or none does; a recovery copy was kept.
        FileChangedError: the head is not what the bytes were made from; a recovery copy was kept.
        UnavailableError: Redis or the storage stayed away; nothing was changed.
        StorageFullError: no room; nothing was changed.
    """
    admission, headers = save_request.admission, save_request.headers
    node = await node_of(host, admission.file)
    session = admission.session
    save = Save(
        save_id=new_save_id(),
        file_id=session.file_id,
        session_id=session.session_id,
        session_created_us=session.created_us,
        holder=session.user or session.account,
        lock_id=save_request.lock_id,
        timestamp=headers.timestamp,
        attempt=headers.attempt,
        one_process_per_document=session.kind is EditorKind.COLLABORA,
        shows_part_of_lock=session.kind is EditorKind.M365,
        is_autosave=headers.is_autosave,
        is_exit_save=headers.is_exit_save,
        is_modified_by_user=headers.is_modified_by_user,
        editors=headers.editors,
    )
    deadline_s = host.deadline(SAVE_PATIENCE_S)
    try:
        while True:
            try:
                commit = Commit(host.ledger, node, host.clock)
                return await commit.put_file(save, body, deadline_s=deadline_s)
            except FileMovedError:
                file = await host.mover.settled(session.file_id, deadline_s=deadline_s)
                node = await node_of(host, file)
    except (LockMismatchError, FileChangedError) as refusal:
        await _rescue(host, save_request, node, save, body, str(refusal))
        raise


async def _rescue(
    host: Host,
    save_request: SaveRequest,
    node: StorageNode,
    save: Save,
    body: Body,
    reason: str,
) -> None:
    """Keep a refused body aside. Where even that fails, the editor is asked to send it again."""
    admission = save_request.admission
    session = admission.session
    rescue = Rescue(
        rescue_id=save.save_id,
        tenant_id=session.tenant_id,
        storage_name=session.storage_name,
        file_id=session.file_id,
        file_path=node.path,
        session_id=session.session_id,
        account=session.account,
        user=session.user,
        size_bytes=body.size_bytes,
        sha256=body.sha256,
        reason=reason,
        rescued_us=host.clock.now_us(),
    )
    await node.rescue(body, save.save_id)
    await node.rescue(MemoryBody(msgspec.json.encode(rescue)), rescue_note(save.save_id))
    await host.rescues.put(rescue)
    try:
        await host.ledger.announce_rescue(save, save.save_id, reason)
    except HostError:
        return  # The copy is there and listed; only its announcement is missing.
