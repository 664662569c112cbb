"""How far a session reaches: the one place that says what it may do beside its file's own bytes.

A session is about one file. Where its option ``containers`` is on, it also reaches what lies in its
root folder, with the rights that it has on its own file and no others. A token that is traded for
another never says more than this; each of its uses is held against it.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from genro_wopi.domain.access_tokens import Grant
from genro_wopi.domain.errors import (
    HostError,
    NotFoundError,
    UnauthenticatedError,
    UnsupportedOperationError,
)
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.sessions import Session


class Right(StrEnum):
    """What a session may be asked to do, beside reading and saving its file."""

    RENAME = "rename"
    DELETE = "delete"
    COPY = "copy"
    """PutRelativeFile: a new file beside it, and a token for that one."""
    OVERWRITE = "overwrite"
    """PutRelativeFile onto another file that is there."""
    LIST = "list"
    """Containers, their children and ancestors, and tokens for them."""
    CREATE_CHILD = "create_child"
    RENAME_CONTAINER = "rename_container"
    DELETE_CONTAINER = "delete_container"


def _copies(session: Session) -> bool:
    return session.can_edit and session.options.can_write_relative


def _creates(session: Session) -> bool:
    return session.options.containers and _copies(session)


_RULES: Final[Mapping[Right, Callable[[Session], bool]]] = {
    Right.RENAME: lambda s: s.can_edit and s.options.can_rename,
    Right.DELETE: lambda s: s.can_edit and s.options.can_delete,
    Right.COPY: _copies,
    Right.OVERWRITE: _creates,
    Right.LIST: lambda s: s.options.containers,
    Right.CREATE_CHILD: _creates,
    Right.RENAME_CONTAINER: lambda s: _creates(s) and s.options.can_rename,
    Right.DELETE_CONTAINER: lambda s: _creates(s) and s.options.can_delete,
}

_REFUSALS: Final[Mapping[Right, tuple[type[HostError], str]]] = {
    Right.RENAME: (UnauthenticatedError, "This session may not rename the file (can_rename)."),
    Right.DELETE: (UnauthenticatedError, "This session may not delete the file (can_delete)."),
    Right.COPY: (
        UnsupportedOperationError,
        "This session may not create files (can_write_relative).",
    ),
    Right.OVERWRITE: (
        UnsupportedOperationError,
        "This session may not replace other files (containers).",
    ),
    Right.LIST: (UnsupportedOperationError, "This session sees no containers (containers)."),
    Right.CREATE_CHILD: (
        UnsupportedOperationError,
        "This session may not create anything here (containers, can_write_relative).",
    ),
    Right.RENAME_CONTAINER: (UnauthenticatedError, "This session may not rename the container."),
    Right.DELETE_CONTAINER: (UnauthenticatedError, "This session may not delete the container."),
}


def may(session: Session, right: Right) -> bool:
    """Tell whether a session has a right."""
    return _RULES[right](session)


def require(session: Session, right: Right) -> None:
    """Refuse what a session may not do.

    Raises:
        UnauthenticatedError, UnsupportedOperationError: as WOPI has it for the operation.
    """
    if not may(session, right):
        kind, message = _REFUSALS[right]
        raise kind(message)


def reaches(session: Session, record: FileRecord) -> bool:
    """Tell whether a session may have a token for a file or container that is there."""
    return may(session, Right.LIST) and _lies_below(session, record)


def may_begin(parent: Session, record: FileRecord, grant: Grant | None) -> bool:
    """Tell whether a token that was traded from a session counts now for a file or container."""
    if grant is Grant.MADE:
        return may(parent, Right.COPY) and _same_storage(parent, record) and not record.is_deleted
    return reaches(parent, record)


def require_reach(session: Session, record: FileRecord) -> None:
    """Refuse a traded session what does not lie in its root folder any more.

    Raises:
        NotFoundError: it was moved away.
    """
    if session.grant in {Grant.LISTED, Grant.CONTAINER} and not reaches(session, record):
        raise NotFoundError("There is no such file in this session's folder any more.")


def _lies_below(session: Session, record: FileRecord) -> bool:
    root = f"{session.root}/" if session.root else ""
    is_there = not record.is_deleted and record.path.startswith(root)
    return is_there and _same_storage(session, record)


def _same_storage(session: Session, record: FileRecord) -> bool:
    own = (session.tenant_id, session.storage_name)
    return own == (record.tenant_id, record.storage_name)
