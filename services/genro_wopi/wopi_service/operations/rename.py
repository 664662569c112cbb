"""RenameFile and DeleteFile.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/renamefile
"""

from genro_wopi.domain.errors import (
    AlreadyExistsError,
    InvalidNameError,
    NameTakenError,
)
from genro_wopi.domain.paths import StoragePath, base_name, segment_problem
from genro_wopi.domain.reach import Right, require
from genro_wopi.domain.sessions import Purpose
from genro_wopi.protocol.file_name import numbered, split_name
from genro_wopi.protocol.lock_id import LockId
from genro_wopi.wopi_service.operations.admission import EditorRequest, admit
from genro_wopi.wopi_service.operations.host import LOCK_PATIENCE_S, Host, node_of
from genro_wopi.wopi_service.operations.placement import (
    NUMBERS_MAX,
    exact_name,
    folder_of,
    is_taken,
)


async def rename_file(
    host: Host, request: EditorRequest, *, requested: str, lock: str | None
) -> str:
    """Rename a file; its id, lock and history stay.

    Args:
        host: the ports.
        request: who asks.
        requested: X-WOPI-RequestedName: UTF-7, without the extension.
        lock: X-WOPI-Lock; None or empty for none.

    Returns:
        The new name without its extension; another one where the requested is taken.

    Raises:
        InvalidNameError: the name cannot be one.
        LockMismatchError: another lock holds the file.
        UnauthenticatedError: the session may not rename.
    """
    admission = await admit(host, request, Purpose.CHECK)
    require(admission.session, Right.RENAME)
    deadline_s = host.deadline(LOCK_PATIENCE_S)
    node = await node_of(host, admission.file)
    old_name = base_name(node.path)
    extension = split_name(old_name)[1]
    wanted = exact_name(requested)
    if extension and wanted.lower().endswith(extension.lower()):
        wanted = wanted[: -len(extension)] or wanted
    wanted = _joined(wanted, extension)
    if wanted == old_name:
        return split_name(wanted)[0] if extension else wanted
    folder = await folder_of(host, admission.file, StoragePath(node.path.rpartition("/")[0]))
    for number in range(NUMBERS_MAX):
        name = numbered(wanted, number)
        if await is_taken(folder, name):
            continue
        record = await host.mover.settled(admission.file.file_id, deadline_s=deadline_s)
        try:
            await host.mover.move(
                record,
                folder.child(name),
                lock_id=LockId(lock) if lock else None,
                session_id=admission.session.session_id,
                deadline_s=deadline_s,
            )
        except AlreadyExistsError:
            continue
        return name.removesuffix(extension)
    raise NameTakenError("There are too many files of this name; choose another one.")


def _joined(stem: str, extension: str) -> str:
    """Join stem and extension to a name that a storage takes.

    Raises:
        InvalidNameError: together they are too long.
    """
    name = f"{stem}{extension}"
    problem = segment_problem(name)
    if problem:
        raise InvalidNameError(f"Not a file name: {problem}.")
    return name


async def delete_file(host: Host, request: EditorRequest, *, lock: str | None) -> None:
    """Delete a file; it can be taken back for a while.

    Raises:
        LockMismatchError: another lock holds the file.
        UnauthenticatedError: the session may not delete.
        NotFoundError: it is gone.
    """
    admission = await admit(host, request, Purpose.CHECK)
    require(admission.session, Right.DELETE)
    deadline_s = host.deadline(LOCK_PATIENCE_S)
    record = await host.mover.settled(admission.file.file_id, deadline_s=deadline_s)
    await host.mover.delete(
        record,
        lock_id=LockId(lock) if lock else None,
        session_id=admission.session.session_id,
        deadline_s=deadline_s,
    )
