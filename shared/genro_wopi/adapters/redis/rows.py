"""How the rows that scripts return become the domain's records, and back."""

from collections.abc import Sequence
from typing import Final

import msgspec

from genro_wopi.adapters.redis.client import Reply, number, text
from genro_wopi.domain.files import FileRecord, Head, KnownHead
from genro_wopi.domain.identifiers import FileId, SessionId, TenantId, Version
from genro_wopi.domain.locks import Lease
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.sessions import (
    ENDED_KEPT_MS,
    GRACE_MS,
    Session,
    SessionState,
    SessionStatus,
)
from genro_wopi.protocol.lock_id import LockId

GRACE_US: Final = GRACE_MS * 1000
KEPT_US: Final = GRACE_US + ENDED_KEPT_MS * 1000

OPEN_TTL_MS: Final = 8 * 86_400_000
"""How long it is remembered who opened a file: longer than the longest session (7 days)."""

TOLD_S: Final = 86_400
"""How long it is remembered what a session announced."""

LOCK_FIELDS: Final = ("lock", "epoch", "session", "base", "first_attempt", "since_us", "holder")
"""A lock, as `lock_row` in fragments/records.lua reads it before what is left of its life and its
editor."""

FILE_FIELDS: Final = (
    *("tenant", "storage", "path", "fp", "version", "lm", "size", "seq"),
    *("sha", "session", "wepoch", "attempt", "save_id", "move", "move_by"),
)
"""A file's record, as `file_row` in fragments/records.lua reads it."""

_session_decoder: Final = msgspec.json.Decoder(Session)


def session_of(row: Sequence[Reply]) -> Session | None:
    """Decode the session in a row that begins with its doc; None where it is not known."""
    return _session_decoder.decode(row[0]) if row and row[0] else None


def session_status(row: Sequence[Reply], now_us: int) -> SessionStatus:
    """Decode doc, state, expires_us, ends_us, opened, user_info and server."""
    expires_us, state = number(row[2]), SessionState(text(row[1]))
    if state is SessionState.ACTIVE and expires_us <= now_us:
        state = SessionState.EXPIRED
    if state is SessionState.DRAINING and expires_us + GRACE_US <= now_us:
        state = SessionState.CLOSED
    return SessionStatus(
        session=_session_decoder.decode(row[0]),
        state=state,
        expires_us=expires_us,
        ends_us=number(row[3]),
        opened=row[4] == b"1",
        user_info=text(row[5]),
        server=text(row[6]),
    )


def known_head(row: Sequence[Reply]) -> KnownHead | None:
    """Decode the head in a file row; None where the file was never seen."""
    if row[3] is None:
        return None
    return KnownHead(
        fingerprint=text(row[3]),
        version=Version(text(row[4])),
        last_modified_us=number(row[5]),
        size_bytes=number(row[6]),
        sequence=number(row[7]),
        sha256=text(row[8]),
        session=text(row[9]),
        epoch=number(row[10]),
        attempt=number(row[11]),
        save_id=text(row[12]),
    )


def file_record(file_id: FileId, row: Sequence[Reply]) -> FileRecord | None:
    """Decode a file row; None for an unknown file."""
    if row[0] is None:
        return None
    return FileRecord(
        file_id=file_id,
        tenant_id=TenantId(text(row[0])),
        storage_name=text(row[1]),
        path=StoragePath(text(row[2])),
        head=known_head(row),
        moving_to=StoragePath(text(row[13])),
        moved_by=SessionId(text(row[14])),
    )


def lease(row: Sequence[Reply], now_us: int) -> Lease | None:
    """Decode a lock row; None where nothing holds the file."""
    if row[0] is None:
        return None
    return Lease(
        lock_id=LockId(text(row[0])),
        epoch=number(row[1]),
        session=text(row[2]),
        base=text(row[3]),
        first_attempt=number(row[4]),
        since_us=number(row[5]),
        holder=text(row[6]),
        expires_us=now_us + number(row[7]) * 1000,
        editor=text(row[8]),
    )


def head_arguments(head: Head) -> list[str | int]:
    """Encode a head for observe_head.lua."""
    evidence = head.evidence
    row: list[str | int] = [head.fingerprint, head.size_bytes, head.modified_us]
    if evidence is None:
        return [*row, "", 0, 0, "", "", 0, 0, ""]
    return [
        *row,
        evidence.version,
        evidence.last_modified_us,
        evidence.sequence,
        evidence.sha256,
        evidence.session,
        evidence.epoch,
        evidence.attempt,
        evidence.save_id,
    ]
