"""Lock, Unlock, RefreshLock, GetLock and UnlockAndRelock.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/lock
"""

import secrets

import msgspec

from genro_wopi.domain.access_tokens import Grant
from genro_wopi.domain.errors import InvalidRequestError, UnauthenticatedError
from genro_wopi.domain.locks import LockRequest
from genro_wopi.domain.sessions import Admission, Purpose
from genro_wopi.protocol.headers import Override
from genro_wopi.protocol.lock_id import LOCK_ID_LENGTH_MAX, LockId, parse_lock_id
from genro_wopi.wopi_service.operations.admission import (
    EditorRequest,
    admit,
    identify,
    in_session,
)
from genro_wopi.wopi_service.operations.host import LOCK_PATIENCE_S, Host, patiently


class LockHeaders(msgspec.Struct, frozen=True, kw_only=True):
    """What a lock operation carries."""

    override: str
    """LOCK, UNLOCK, REFRESH_LOCK or GET_LOCK."""
    lock: str | None
    old_lock: str | None
    attempt: int
    """X-WOPI-TimeStamp in ticks; 0 where absent."""


class LockAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a lock operation answers with its 200."""

    version: str
    """Empty where it is not sent."""
    held: str | None = None
    """Of GetLock: the lock, or the empty string; None for every other operation."""


async def change_lock(host: Host, request: EditorRequest, headers: LockHeaders) -> LockAnswer:
    """Do what X-WOPI-Override asks.

    Raises:
        InvalidRequestError: X-WOPI-Lock or X-WOPI-OldLock is missing or not a lock.
        LockMismatchError: another lock holds the file, or none does.
        UnauthenticatedError: the session ended or has no right to edit.
        NotFoundError: a traded token does not reach the file any more.
        UnavailableError: Redis stayed away.
    """
    override = Override(headers.override)
    if override is Override.GET_LOCK:
        admission = await admit(host, request, Purpose.LOCK_STATE, patience_s=LOCK_PATIENCE_S)
        return _lock_state(admission)
    lock_id = require_lock_id(headers.lock, "X-WOPI-Lock")
    deadline_s = host.deadline(LOCK_PATIENCE_S)
    claims = await patiently(host, deadline_s, lambda: identify(host, request))
    change = LockRequest(
        file_id=claims.file_id,
        session_id=claims.session_id,
        lock_id=lock_id,
        request_id=request.request_id or secrets.token_hex(8),
        attempt=headers.attempt,
        can_edit=claims.can_edit,
        holder=claims.user,
        editor=claims.address,
        tenant_id=claims.tenant_id,
    )
    if claims.grant is Grant.LISTED and override is not Override.UNLOCK:
        await admit(host, request, Purpose.LOCK_STATE, patience_s=LOCK_PATIENCE_S)
    if not claims.can_edit and (override is not Override.LOCK or headers.old_lock):
        raise UnauthenticatedError("This session may not change the file.")

    async def attempt() -> str:
        if override is Override.LOCK and headers.old_lock:
            old = require_lock_id(headers.old_lock, "X-WOPI-OldLock")
            return await host.locks.relock(change, old, deadline_s=deadline_s)
        if override is Override.LOCK:
            return await host.locks.lock(change, deadline_s=deadline_s)
        if override is Override.REFRESH_LOCK:
            return await host.locks.refresh(change, deadline_s=deadline_s)
        return await host.locks.unlock(change, deadline_s=deadline_s)

    version = await patiently(host, deadline_s, lambda: in_session(host, claims, attempt))
    return LockAnswer(version=version)


def _lock_state(admission: Admission) -> LockAnswer:
    return LockAnswer(version="", held=admission.lease.lock_id if admission.lease else "")


def require_lock_id(value: str | None, header: str) -> LockId:
    """Check a lock string.

    Raises:
        InvalidRequestError: it is missing, too long or not printable ASCII.
    """
    lock_id = parse_lock_id(value)
    if lock_id is None:
        raise InvalidRequestError(
            f"The header {header} must hold 1 to {LOCK_ID_LENGTH_MAX} printable ASCII characters."
        )
    return lock_id
