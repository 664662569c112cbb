"""PutRelativeFile and CreateChildFile: a new file beside another one, or in a container.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/putrelativefile
"""

import msgspec

from genro_wopi.domain.access_tokens import Grant
from genro_wopi.domain.errors import NameTakenError, UnsupportedOperationError
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.paths import StoragePath, base_name
from genro_wopi.domain.reach import Right, may, require, require_reach
from genro_wopi.domain.sessions import Admission, Purpose, SessionState
from genro_wopi.domain.storages import Body
from genro_wopi.protocol.file_name import decode_name, split_name
from genro_wopi.wopi_service.operations.admission import EditorRequest, admit
from genro_wopi.wopi_service.operations.check_file_info import new_file_urls
from genro_wopi.wopi_service.operations.host import SAVE_PATIENCE_S, Host, node_of
from genro_wopi.wopi_service.operations.placement import (
    Folder,
    exact_name,
    folder_of,
    free_name,
    is_taken,
    store_exactly,
    store_new,
    usable_name,
)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The headers that say how the new file is to be called."""

    suggested: str | None
    relative: str | None
    overwrite: bool


class NewFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was stored, with an address that opens it."""

    name: str
    url: str
    host_urls: dict[str, str]
    """HostViewUrl and HostEditUrl, where the tenant has templates for them."""


async def admit_copy(host: Host, request: EditorRequest, target: Target) -> Admission:
    """Let a PutRelativeFile in before its body is read.

    Raises:
        NotFoundError: the file was moved out of what the session reaches.
        UnsupportedOperationError: the session may not, or not any more, or not exactly one target
            is named. An editor that is answered 401 throws the token away that may still save.
        UnauthenticatedError, ProofRefusedError, UnavailableError: as `admit`.
    """
    admission = await admit(host, request, Purpose.SAVE, patience_s=SAVE_PATIENCE_S)
    require_reach(admission.session, admission.file)
    require(admission.session, Right.COPY)
    if admission.status.state is not SessionState.ACTIVE:
        raise UnsupportedOperationError("The session has ended: open the document again for that.")
    require_one(target)
    return admission


def require_one(target: Target) -> None:
    """Refuse both targets, or none.

    Raises:
        UnsupportedOperationError: not exactly one is named.
    """
    if bool(target.suggested) == bool(target.relative):
        raise UnsupportedOperationError(
            "Send exactly one of X-WOPI-SuggestedTarget and X-WOPI-RelativeTarget."
        )


async def store_copy(host: Host, admission: Admission, target: Target, body: Body) -> NewFile:
    """Store the body beside the session's file.

    Raises:
        InvalidNameError: the exact name cannot be one.
        NameTakenError: the exact name is taken and may not be, or cannot be, overwritten.
    """
    node = await node_of(host, admission.file)
    folder = await folder_of(host, admission.file, StoragePath(node.path.rpartition("/")[0]))
    return await store_in(host, admission, folder, target, body, beside=base_name(node.path))


async def store_in(
    host: Host,
    admission: Admission,
    folder: Folder,
    target: Target,
    body: Body,
    *,
    beside: str = "",
) -> NewFile:
    """Store a body in a folder as its target says, and trade a token for it.

    Args:
        host: the ports.
        admission: who asks.
        folder: where the file goes.
        target: one of its two names is set.
        body: received whole.
        beside: name of the file that a suggested extension refers to.

    Raises:
        InvalidNameError, NameTakenError: as `store_copy`.
    """
    # Before anything is stored: a copy whose address cannot be told would be made again and again.
    session_id, address = admission.session.session_id, admission.asker.editor
    await host.trader.trade(session_id, [], Grant.MADE, address=address)
    if target.relative:
        record = await _store_exact(host, admission, folder, target, body)
    else:
        record = await store_new(host, folder, _suggestion(target.suggested or "", beside), body)
    made = [record.file_id]
    traded = await host.trader.trade(session_id, made, Grant.MADE, address=address)
    return NewFile(
        name=base_name(record.path),
        url=f"{host.src_url}/wopi/files/{record.file_id}?access_token={traded.tokens[0]}",
        host_urls=await new_file_urls(host, admission, record),
    )


async def _store_exact(
    host: Host, admission: Admission, folder: Folder, target: Target, body: Body
) -> FileRecord:
    name = exact_name(target.relative or "")
    overwrite = target.overwrite and _may_overwrite(admission, folder.child(name))
    if await is_taken(folder, name):
        if not overwrite:
            raise await _taken(folder, name)
        known = await host.registry.find(folder.tenant_id, folder.storage_name, folder.child(name))
        lease = await host.locks.state(known) if known else None
        if lease is not None:
            raise NameTakenError("Somebody is editing the file of that name.", held=lease.lock_id)
    record = await store_exactly(host, folder, name, body, overwrite=overwrite)
    if record is None:
        raise await _taken(folder, name)
    return record


def _may_overwrite(admission: Admission, path: StoragePath) -> bool:
    """Tell whether a session may replace a file: its own one, or one that it reaches.

    Where it may not, the name is taken: the editor asks the person for another one.
    """
    return path == admission.file.path or may(admission.session, Right.OVERWRITE)


async def _taken(folder: Folder, name: str) -> NameTakenError:
    message = "There is a file of that name already."
    return NameTakenError(message, free_name=await free_name(folder, name))


def _suggestion(header: str, beside: str) -> str:
    """Make a usable name of a suggestion; one that begins with a dot is only an extension."""
    wanted = decode_name(header)
    if wanted is None:
        wanted = beside
    elif wanted.startswith("."):
        wanted = split_name(beside)[0] + wanted
    return usable_name(wanted)
