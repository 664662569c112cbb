"""Recovery copies: saves that were received whole and refused. They are kept, never thrown away."""

import re
from typing import Annotated, Final, Protocol

import msgspec
from msgspec import Meta

from genro_wopi.domain.errors import InvalidFieldsError, NotFoundError
from genro_wopi.domain.files import Digest, Moment, Name, Whole
from genro_wopi.domain.identifiers import FileId, TenantId
from genro_wopi.domain.paths import RESERVED_SEGMENT, StoragePath, parse_path
from genro_wopi.domain.record_owner import RecordOwner

NOTE_BYTES_MAX: Final = 64 * 1024

Text = Annotated[str, Meta(max_length=2000)]


class Rescue(msgspec.Struct, frozen=True, kw_only=True):
    """One refused save that was kept."""

    rescue_id: Name
    tenant_id: Annotated[TenantId, Meta(pattern=r"^[A-Za-z0-9._-]{1,200}\Z")]
    storage_name: Annotated[str, Meta(min_length=1, max_length=100)]
    file_id: Annotated[FileId, Meta(pattern=r"^[0-9a-f]{2}[A-Za-z0-9_-]{22}\Z")]
    file_path: Annotated[StoragePath, Meta(min_length=1, max_length=1024)]
    session_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,64}\Z")]
    account: Text
    user: Text
    size_bytes: Whole
    sha256: Digest
    reason: Text
    rescued_us: Moment


class BadNoteError(Exception):
    """A note does not describe the recovery copy beside it; the message says in words why."""


RECOVERY: Final = StoragePath(f"{RESERVED_SEGMENT}/recovery")
"""The folder of a storage in which its recovery copies lie."""

_NOTE: Final = ".json"
_RESCUED: Final = re.compile(r"[A-Za-z0-9_-]{1,64}(\.json)?")
_note: Final = msgspec.json.Decoder(Rescue)


def rescued_path(rescue_id: str) -> StoragePath:
    """Name the place of a recovery copy, or of the note beside it.

    Raises:
        NotFoundError: it is no id that a copy can have.
    """
    if _RESCUED.fullmatch(rescue_id) is None:
        raise NotFoundError("There is no such recovery copy.")
    return StoragePath(f"{RECOVERY}/{rescue_id}")


def rescue_note(rescue_id: str) -> str:
    """Name the note that lies beside a copy, so that it is found again without Redis."""
    return f"{rescue_id}{_NOTE}"


def read_note(content: bytes, *, rescue_id: str, storage_name: str, owner: RecordOwner) -> Rescue:
    """Read the note beside a recovery copy, as input: a tenant can write any byte of its storage.

    Args:
        content: what lies there.
        rescue_id: the copy beside which it lies.
        storage_name: the storage in which both lie.
        owner: whose storage it is.

    Returns:
        What it says, as a record of this tenant.

    Raises:
        BadNoteError: it cannot be read, or describes something else.
    """
    try:
        rescue = _note.decode(content)
        path = parse_path(rescue.file_path)
    except (msgspec.DecodeError, RecursionError, InvalidFieldsError) as error:
        raise BadNoteError("its note cannot be read") from error
    if rescue.rescue_id != rescue_id:
        raise BadNoteError("its note is another copy's")
    if rescue.storage_name != storage_name or not owner.owns(rescue.tenant_id):
        raise BadNoteError("its note is another storage's, or another tenant's")
    tenant_id = owner.tenant_id or rescue.tenant_id
    return msgspec.structs.replace(rescue, tenant_id=tenant_id, file_path=path)


SESSION_COPIES_MAX: Final = 10
SESSION_BYTES_MAX: Final = 256 * 1024 * 1024
TENANT_COPIES_MAX: Final = 1_000
TENANT_BYTES_MAX: Final = 10 * 1024**3
"""What is kept at most of saves that were refused for their session's sake. Of one session the
newest takes the place of the oldest; a tenant that has so much keeps no more, until copies end."""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """Room for one more copy."""

    is_full: bool = False
    """The tenant keeps as much as it may; nothing was noted."""
    known_id: str = ""
    """The same session's copy of the same bytes; empty for none."""
    replaced_ids: tuple[str, ...] = ()
    """Older copies of the session that give way."""


class RescueStore(Protocol):
    """Where it is noted which recovery copies there are; the bytes lie in the storage."""

    async def make_room(self, rescue: Rescue) -> Room:
        """Note a copy that counts against its session and tenant. MUST be atomic; may run twice."""
        ...

    async def put(self, rescue: Rescue) -> None:
        """Note a copy."""
        ...

    async def forget(self, rescue: Rescue) -> None:
        """Remove the note of a copy whose bytes are gone."""
        ...

    async def older(self, tenant_id: TenantId, *, before_us: int, limit: int) -> list[Rescue]:
        """Return a tenant's copies from before a moment, the oldest first."""
        ...

    async def get(self, tenant_id: TenantId, rescue_id: str) -> Rescue | None:
        """Return one; None where there is none, or its note does not describe it."""
        ...

    async def list_ids(
        self, tenant_id: TenantId, *, after: str, limit: int
    ) -> list[tuple[str, str]]:
        """Return ids with their cursors, newest first."""
        ...
