"""Letting an editor's request in: its token, its proof, its session.

A token that was traded for a file names a session that need not exist yet. It begins with its first
request, as a copy of the session that it was traded from, and ends with that one.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from genro_wopi.domain.access_tokens import AccessClaims, Grant
from genro_wopi.domain.errors import UnauthenticatedError
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import FileId, partition_of, session_partition
from genro_wopi.domain.reach import may_begin, require_reach
from genro_wopi.domain.sessions import (
    Admission,
    Asker,
    Breadcrumb,
    Purpose,
    SessionEndedError,
    SessionState,
)
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.protocol.proof import ProofHeaders
from genro_wopi.wopi_service.operations.host import READ_PATIENCE_S, Host

T = TypeVar("T")


class EditorRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, for which file, and how the request proves itself."""

    file_id: FileId | None
    """File or container of the address; None for the ecosystem, which any token opens."""
    token: str
    target: str
    """Path and query exactly as they were sent; they are part of the proof."""
    proof: ProofHeaders
    request_id: str
    """The same where a request is sent again; empty where the client says nothing."""
    is_container: bool = False
    """Whether the address is a container's."""


async def identify(host: Host, request: EditorRequest) -> AccessClaims:
    """Check token and proof; nothing is touched yet.

    Raises:
        UnauthenticatedError: the token does not count, or belongs to another file.
        ProofRefusedError: the request was not signed by the session's editor.
        UnavailableError: what that editor signs with is not known now.
    """
    claims = host.tokens.verify(request.token)
    if request.file_id is not None and claims.file_id != request.file_id:
        raise UnauthenticatedError("The access token is not for this file.")
    if request.file_id is not None and not _fits(claims, is_container=request.is_container):
        raise UnauthenticatedError("The access token is not for this kind of address.")
    await host.proofs.check(claims, request.token, request.target, request.proof)
    return claims


async def admit(
    host: Host, request: EditorRequest, purpose: Purpose, *, patience_s: float = READ_PATIENCE_S
) -> Admission:
    """Let a request in with one round trip.

    Raises:
        UnauthenticatedError, ProofRefusedError: as `identify`; or the session has ended.
        UnavailableError: Redis stayed away.
    """
    claims = await identify(host, request)
    return await admit_identified(host, claims, purpose, deadline_s=host.deadline(patience_s))


async def admit_identified(
    host: Host, claims: AccessClaims, purpose: Purpose, *, deadline_s: float
) -> Admission:
    """Let in what a token that was checked says.

    Raises:
        SessionEndedError: the session has ended.
        RateLimitedError: it would begin now, and its tenant has as many as it may.
        UnavailableError: Redis stayed away.
    """

    async def attempt() -> Admission:
        return await host.sessions.admit(
            claims.session_id, claims.file_id, purpose, deadline_s=deadline_s, asker=_asker(claims)
        )

    try:
        is_work = purpose not in {Purpose.CHECK, Purpose.READ}
        admission = await in_session(host, claims, attempt, beyond_share=is_work)
    except SessionEndedError as ended:
        if ended.file is not None and not _belongs(claims, ended.file):
            raise SessionEndedError from ended
        raise
    if not _goes_on(admission, purpose):
        require_reach(admission.session, admission.file)
    return admission


def _belongs(claims: AccessClaims, file: FileRecord) -> bool:
    """Tell whether a session of which nothing is known may have been one on this file."""
    is_beside = session_partition(claims.session_id) == partition_of(file.file_id)
    return is_beside and claims.tenant_id == file.tenant_id


def _fits(claims: AccessClaims, *, is_container: bool) -> bool:
    """Tell whether a token is for this kind of address; one traded without a grant says nothing."""
    if claims.parent and claims.grant is None:
        return True
    return (claims.grant is Grant.CONTAINER) == is_container


def _goes_on(admission: Admission, purpose: Purpose) -> bool:
    """Tell whether a session is in the middle of editing: it ends its work wherever its file is.

    A save is never refused for where its file lies now: it is stored, or kept aside.
    """
    is_edited = admission.status.opened and admission.lease is not None
    return is_edited or purpose is Purpose.SAVE


def _asker(claims: AccessClaims) -> Asker:
    """Return which editor asks; OnlyOffice shows readers a document of their own."""
    loads = claims.can_edit or claims.editor_kind != EditorKind.ONLYOFFICE
    return Asker(claims.address, loads)


async def in_session(
    host: Host,
    claims: AccessClaims,
    attempt: Callable[[], Awaitable[T]],
    *,
    beyond_share: bool = True,
) -> T:
    """Do something in a session; a traded one begins where it has not yet.

    Args:
        host: the ports.
        claims: of the token.
        attempt: what is done.
        beyond_share: it begins even where its tenant has as many sessions as it may; saves and
            locks are never refused for that.
    """
    try:
        return await attempt()
    except UnauthenticatedError:
        if not claims.parent or not await _begin_traded(host, claims, beyond_share=beyond_share):
            raise
    return await attempt()


async def _begin_traded(host: Host, claims: AccessClaims, *, beyond_share: bool) -> bool:
    parent = await host.sessions.get(claims.parent)
    record = await host.registry.record(claims.file_id)
    if parent is None or parent.state is not SessionState.ACTIVE or record is None:
        return False
    if not may_begin(parent.session, record, claims.grant):
        return False
    options = msgspec.structs.replace(parent.session.options, breadcrumb=Breadcrumb())
    traded = msgspec.structs.replace(
        parent.session,
        session_id=claims.session_id,
        file_id=claims.file_id,
        file_path=record.path,
        created_us=host.clock.now_us(),
        parent=parent.session.session_id,
        grant=claims.grant,
        root_folder=parent.session.root,
        options=options,
    )
    await host.sessions.create(traded, record, ends_us=parent.ends_us, beyond_share=beyond_share)
    parent = await host.sessions.get(claims.parent)
    if parent is None or parent.state is not SessionState.ACTIVE:
        await host.sessions.end(claims.session_id, SessionState.REVOKED)
        return False
    return True
