"""PutFile from its first byte to its answer, outages included.

A save is let in before its body is read, so that who may not save is told at once. Where Redis
does not answer that soon, the body is received meanwhile: some editors send it once and never
again. What was received whole and cannot be stored in time is answered 503, and kept: see
`genro_wopi.wopi_service.operations.unsettled`.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import msgspec

from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.errors import StorageFullError, UnauthenticatedError, UnavailableError
from genro_wopi.domain.identifiers import TenantId, new_save_id
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.saves import Saved
from genro_wopi.domain.storages import Body
from genro_wopi.domain.unsettled_saves import UnsettledSave
from genro_wopi.protocol.put_file import PutFileHeaders
from genro_wopi.wopi_service.operations.admission import EditorRequest, identify
from genro_wopi.wopi_service.operations.host import (
    SAVE_PATIENCE_S,
    SAVE_WHOLE_S,
    Host,
    patiently,
)
from genro_wopi.wopi_service.operations.put_file import (
    OUTAGES,
    SaveRequest,
    admit_save,
    commit_save,
)
from genro_wopi.wopi_service.operations.unsettled import Unsettled, keep

ADMISSION_S: Final = 1.0
"""How long a body waits for its save to be let in; after that it is received meanwhile."""

ADMISSION_MAX_S: Final = 3600.0
"""Longer than any body takes; it ends with the save's own deadline."""

SAVE_LEAST_S: Final = 5.0
"""What a save is given after a body that took all of its time."""


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A PutFile whose body was not read yet."""

    request: EditorRequest
    lock: str | None
    headers: PutFileHeaders
    receive: Callable[[TenantId], AbstractAsyncContextManager[Body]]
    """Receives the body, for a tenant's share of the spool, when it is entered."""


async def put_file(host: Host, unsettled: Unsettled, incoming: Incoming) -> Saved:
    """Receive one save and store it.

    Raises:
        HostError: as `admit_save` and `commit_save`; after an outage the body was kept.
    """
    began_s = host.clock.monotonic_s()
    admitting = asyncio.ensure_future(_admission(host, incoming))
    try:
        await asyncio.wait((admitting,), timeout=ADMISSION_S)
        claims = None
        if admitting.done():
            admitting.result()
        else:
            claims = await _proven(host, incoming.request)
        async with incoming.receive(_tenant(host, incoming, admitting, claims)) as body:
            deadline_s = _deadline(host, began_s)
            now_us = host.clock.now_us()
            received = Received(incoming, claims, body, new_save_id(), now_us, deadline_s)
            return await store(host, unsettled, admitting, received)
    finally:
        admitting.cancel()


class Received(msgspec.Struct, frozen=True):
    """A save whose body is here."""

    incoming: Incoming
    claims: AccessClaims | None
    """Where token and proof were checked before the save was let in."""
    body: Body
    save_id: str
    received_us: int
    deadline_s: float


async def _admission(host: Host, incoming: Incoming) -> SaveRequest:
    """Let a save in, however long that takes."""

    async def attempt() -> SaveRequest:
        return await admit_save(host, incoming.request, incoming.lock, incoming.headers)

    return await patiently(host, host.clock.monotonic_s() + ADMISSION_MAX_S, attempt)


async def _proven(host: Host, request: EditorRequest) -> AccessClaims | None:
    """Check token and proof without Redis; None where the editor's keys are not known here.

    Raises:
        UnauthenticatedError, ProofRefusedError: as `identify`.
    """
    try:
        return await identify(host, request)
    except UnavailableError:
        return None


def _tenant(
    host: Host,
    incoming: Incoming,
    admitting: "asyncio.Future[SaveRequest]",
    claims: AccessClaims | None,
) -> TenantId:
    """Return whose share of the spool a body takes; the token alone says so after an outage."""
    admitted = admitting.result().claims if admitting.done() else None
    checked = admitted or claims or _claimed(host, incoming.request)
    return checked.tenant_id if checked else TenantId("")


def _deadline(host: Host, began_s: float) -> float:
    """Return until when an outage is waited for: most editors give a save 30 s in all."""
    whole_s = began_s + min(SAVE_WHOLE_S, host.patience_s)
    return min(host.deadline(SAVE_PATIENCE_S), max(whole_s, host.deadline(SAVE_LEAST_S)))


async def store(
    host: Host,
    unsettled: Unsettled,
    admitting: "asyncio.Future[SaveRequest]",
    received: Received,
) -> Saved:
    """Store a save whose body is here; keep the body where that cannot be done in time.

    Raises:
        HostError: as `put_file`.
    """
    admitted: SaveRequest | None = None
    try:
        admitted = await _admitted(host, admitting, received.deadline_s)
        return await commit_save(
            host,
            admitted,
            received.body,
            save_id=received.save_id,
            deadline_s=received.deadline_s,
        )
    except OUTAGES as outage:
        save = _described(host, received, admitted, str(outage))
        if save is not None:
            await _keep(unsettled, save, received.body)
        raise
    except asyncio.CancelledError:  # The process ends while it waits.
        save = _described(host, received, admitted, "The service was stopped.")
        if save is not None:
            unsettled.saves.keep_now(save, received.body)
        raise


async def _keep(unsettled: Unsettled, save: UnsettledSave, body: Body) -> None:
    try:
        await keep(unsettled, save, body)
    except StorageFullError:
        return  # It was counted; the editor learns from its 503 that nothing was stored.


async def _admitted(
    host: Host, admitting: "asyncio.Future[SaveRequest]", deadline_s: float
) -> SaveRequest:
    try:
        async with asyncio.timeout(max(0.0, deadline_s - host.clock.monotonic_s())):
            return await asyncio.shield(admitting)
    except TimeoutError as error:
        raise UnavailableError("Redis does not answer; the save was not stored.") from error


def _described(
    host: Host, received: Received, admitted: SaveRequest | None, reason: str
) -> UnsettledSave | None:
    """Describe a save so that it can be submitted later; None for one of no authentic token."""
    incoming, body = received.incoming, received.body
    checked = admitted.claims if admitted else received.claims
    claims = checked or _claimed(host, incoming.request)
    if claims is None:
        return None
    return UnsettledSave(
        save_id=received.save_id,
        claims=claims,
        lock=incoming.lock,
        epoch=admitted.epoch if admitted else 0,
        headers=incoming.headers,
        received_us=received.received_us,
        version=admitted.file.head.version if admitted and admitted.file.head else "",
        size_bytes=body.size_bytes,
        sha256=body.sha256,
        reason=reason,
        is_proven=checked is not None,
        storage_name=admitted.file.storage_name if admitted else "",
        file_path=admitted.file.path if admitted else StoragePath(""),
    )


def _claimed(host: Host, request: EditorRequest) -> AccessClaims | None:
    try:
        claims = host.tokens.verify(request.token)
    except UnauthenticatedError:
        return None
    return claims if claims.file_id == request.file_id else None
