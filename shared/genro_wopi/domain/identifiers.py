"""Names of things: which strings may identify a tenant, a storage, a file, a session.

A tenant has a name, which applications and operators know, and an id: the name and a random part
that is drawn when the tenant is registered. All that is kept of a tenant, or is on its way to it,
names the id; so a tenant that is given the name of a deleted one meets nothing of it, however late
it comes.

File ids and session ids are random. Both begin with two hexadecimal digits: the partition in which
the file's records lie. So they are found without an index, and stay where they are when the number
of partitions changes: it only says where new files go.
"""

import base64
import hashlib
import re
import secrets
from typing import Final, NewType

from genro_wopi.domain.errors import FieldError, InvalidFieldsError

TenantName = NewType("TenantName", str)
"""A tenant as the API names it: ``tenant_id`` of requests, answers and callbacks."""

TenantId = NewType("TenantId", str)
"""A tenant as everything inside names it: ``<name>.<random part>``; tenants that were registered by
a version without random parts have none."""

FileId = NewType("FileId", str)
SessionId = NewType("SessionId", str)
Version = NewType("Version", str)

SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
"""Names of tenants, storages and editors."""

FILE_ID: Final = re.compile(r"[0-9a-f]{2}[A-Za-z0-9_-]{22}")
SESSION_ID: Final = FILE_ID

_RANDOM_BYTES: Final = 6
"""Of a tenant's id: enough that no two tenants of one name meet."""

PARTITIONS_MAX: Final = 256
"""Two hexadecimal digits name the partition."""


def parse_slug(field: str, value: str) -> str:
    """Check an id or a name.

    Raises:
        InvalidFieldsError: it is not 1 to 64 characters of a-z, 0-9, ``_`` and ``-``.
    """
    if SLUG.fullmatch(value) is None:
        problem = (
            "use 1 to 64 characters of a-z, 0-9, '_' and '-', beginning and ending with a-z or 0-9"
        )
        raise InvalidFieldsError((FieldError(field, problem),))
    return value


def new_tenant_id(name: TenantName) -> TenantId:
    """Draw an id for a tenant that is being registered."""
    return TenantId(f"{name}.{secrets.token_hex(_RANDOM_BYTES)}")


def tenant_name(tenant_id: str) -> TenantName:
    """Return the name in a tenant's id; empty for the empty id of the installation."""
    return TenantName(tenant_id.partition(".")[0])


def new_file_id(partition_count: int) -> FileId:
    """Draw a file id: one of so many partitions, and 128 random bits."""
    return FileId(f"{secrets.randbelow(partition_count):02x}{secrets.token_urlsafe(16)}")


def new_session_id(file_id: FileId) -> SessionId:
    """Draw an id for a session on a file."""
    return SessionId(f"{partition_of(file_id):02x}{secrets.token_urlsafe(16)}")


def derived_session_id(parent: SessionId, file_id: FileId) -> SessionId:
    """Return the id that a session has on another file of its folder; always the same one."""
    digest = hashlib.sha256(f"{parent} {file_id}".encode()).digest()[:16]
    drawn = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return SessionId(f"{partition_of(file_id):02x}{drawn}")


def new_save_id() -> str:
    """Draw the id of one attempt to write a file."""
    return secrets.token_hex(16)


def partition_of(file_id: FileId) -> int:
    """Return the partition in which all records of a file lie."""
    return int(file_id[:2], 16)


def session_partition(session_id: str) -> int | None:
    """Return the partition that a session id names; None where it is not a session id."""
    if SESSION_ID.fullmatch(session_id) is None:
        return None
    return int(session_id[:2], 16)
