"""PutFile: receive the whole body, then commit it once.

A body that was received whole and is refused, for whatever reason, is kept as a recovery copy and
announced; nothing that somebody typed is thrown away. What is known before the body came (the
session has ended, the person may only read) is noted as the request's refusal, and said after it.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/putfile
"""

from typing import Final

import msgspec

from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.commit import Commit
from genro_wopi.domain.errors import (
    HostError,
    InvalidRequestError,
    StorageFullError,
    UnauthenticatedError,
    UnavailableError,
)
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.saves import FileMovedError, Receipt, Save, Saved
from genro_wopi.domain.secrets import UnreadableSecretError
from genro_wopi.domain.sessions import Purpose, Session, SessionEndedError, SessionState
from genro_wopi.domain.storages import Body, StorageFaultError
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.protocol.lock_id import LockId
from genro_wopi.protocol.put_file import PutFileHeaders
from genro_wopi.wopi_service.operations.admission import (
    EditorRequest,
    admit_identified,
    identify,
)
from genro_wopi.wopi_service.operations.host import SAVE_PATIENCE_S, Host, node_of
from genro_wopi.wopi_service.operations.keep_aside import Refused, keep_aside
from genro_wopi.wopi_service.operations.locks import require_lock_id

OUTAGES: Final = (UnavailableError, StorageFaultError, StorageFullError, UnreadableSecretError)
"""Faults of ours: none of them says anything about the save, which is submitted again."""


class SaveRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A PutFile of an authentic token; its body comes next."""

    claims: AccessClaims
    file: FileRecord
    session: Session | None
    """None where nothing is known of it any more."""
    is_active: bool
    lock_id: LockId | None
    headers: PutFileHeaders
    receipt: Receipt | None = None
    """Of one that waited for the end of an outage."""
    epoch: int = 0
    """Of the lease that holds the file under the lock that is shown; 0 where none does."""
    refusal: HostError | None = None
    """Why it will not be stored, as far as that is known before its body."""


async def admit_save(
    host: Host, request: EditorRequest, lock: str | None, headers: PutFileHeaders
) -> SaveRequest:
    """Let a save in before its body is read.

    Raises:
        UnauthenticatedError: the token does not count, or its file is not known.
        ProofRefusedError: the request was not signed by the session's editor.
        UnavailableError: Redis stayed away.
    """
    claims = await identify(host, request)
    return await admit_identified_save(host, claims, lock, headers)


async def admit_identified_save(
    host: Host, claims: AccessClaims, lock: str | None, headers: PutFileHeaders
) -> SaveRequest:
    """Let a save in whose token was checked, now or when its body was received.

    Raises:
        SessionEndedError: nothing is known of the session's file.
        UnavailableError: Redis stayed away.
    """
    refusal: HostError | None = None
    epoch = 0
    deadline_s = host.deadline(SAVE_PATIENCE_S)
    try:
        admission = await admit_identified(host, claims, Purpose.SAVE, deadline_s=deadline_s)
        file, session = admission.file, admission.session
        is_active = admission.status.state is SessionState.ACTIVE
        if admission.lease is not None and admission.lease.lock_id == lock:
            epoch = admission.lease.epoch
        if not session.can_save:
            refusal = UnauthenticatedError("This session may not change the file.")
    except SessionEndedError as ended:
        if ended.file is None:
            raise
        file, session, refusal, is_active = ended.file, ended.session, ended, False
    try:
        lock_id = require_lock_id(lock, "X-WOPI-Lock") if lock else None
    except InvalidRequestError as invalid:
        lock_id, refusal = None, refusal or invalid
    return SaveRequest(
        claims=claims,
        file=file,
        session=session,
        is_active=is_active,
        lock_id=lock_id,
        headers=headers,
        epoch=epoch,
        refusal=refusal,
    )


async def commit_save(
    host: Host, save_request: SaveRequest, body: Body, *, save_id: str, deadline_s: float
) -> Saved:
    """Commit a body that was received whole.

    Args:
        host: the ports.
        save_request: what was let in.
        body: the bytes.
        save_id: the same however often it is submitted.
        deadline_s: monotonic time until which outages are waited for.

    Raises:
        LockMismatchError: another lock holds the file, or none does.
        FileChangedError: the head is not what the bytes were made from.
        UnauthenticatedError: the session has ended or may not change the file.
        UnavailableError, StorageFaultError: Redis or the storage stayed away; nothing was changed.
        StorageFullError: no room; nothing was changed.
        HostError: the file cannot be stored for another reason, whoever asks.

    Whatever is raised but outages, the body was kept as a recovery copy where the error names one.
    """
    try:
        if save_request.refusal is not None:
            raise save_request.refusal
        return await _commit(host, save_request, save_id, body, deadline_s)
    except OUTAGES:
        raise
    except HostError as refusal:
        refused = Refused(
            claims=save_request.claims,
            file=save_request.file,
            session=save_request.session,
            is_bounded=save_request.refusal is not None or not save_request.is_active,
            lock_id=save_request.lock_id,
            save_id=save_id,
        )
        await keep_aside(host, refused, body, refusal)
        raise


async def _commit(
    host: Host, save_request: SaveRequest, save_id: str, body: Body, deadline_s: float
) -> Saved:
    session, headers = save_request.session, save_request.headers
    if session is None:
        raise SessionEndedError(None, save_request.file)
    save = Save(
        save_id=save_id,
        file_id=session.file_id,
        session_id=session.session_id,
        session_created_us=session.created_us,
        holder=session.user or session.account,
        lock_id=save_request.lock_id,
        timestamp=headers.timestamp,
        attempt=headers.attempt,
        one_process_per_document=session.kind is EditorKind.COLLABORA,
        editor=save_request.claims.address,
        shows_part_of_lock=session.kind is EditorKind.M365,
        is_autosave=headers.is_autosave,
        is_exit_save=headers.is_exit_save,
        is_modified_by_user=headers.is_modified_by_user,
        editors=headers.editors,
        receipt=save_request.receipt,
    )
    node = await node_of(host, save_request.file)
    while True:
        try:
            commit = Commit(host.ledger, node, host.clock)
            return await commit.put_file(save, body, deadline_s=deadline_s)
        except FileMovedError:
            file = await host.mover.settled(session.file_id, deadline_s=deadline_s)
            node = await node_of(host, file)
