"""What Redis remembers of saves; see `genro_wopi.domain.commit.SaveLedger`."""

import time
from typing import Final

from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.rows import GRACE_US, known_head, lease, session_ended
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.adapters.redis.upkeep_queue import TWIN
from genro_wopi.adapters.tracing import TRACEPARENT, traceparent
from genro_wopi.domain.files import FileRegistry, Head, KnownHead
from genro_wopi.domain.identifiers import FileId
from genro_wopi.domain.locks import Lease
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.saves import Begun, Save, Saved, Standing
from genro_wopi.protocol.lock_id import LOCK_TTL_MS

_BEGIN: Final = Script("begin_save")
_ADOPT: Final = Script("adopt_lock")
_PUBLISH: Final = Script("publish_save")
_ANNOUNCE: Final = Script("announce")

COVER_MS: Final = 60_000
"""A lock that a save began under lives at least this long, so that it outlives the write."""

INTENT_AGE_MAX_MS: Final = 86_400_000

_STANDINGS: Final = {
    b"held": Standing.HELD,
    b"released": Standing.RELEASED,
    b"unlocked": Standing.UNLOCKED,
    b"other": Standing.OTHER,
    b"superseded": Standing.SUPERSEDED,
    b"moving": Standing.MOVING,
}


class RedisSaveLedger:
    """Implements `SaveLedger`."""

    def __init__(
        self, redis: RedisClient, registry: FileRegistry, *, lock_ttl_ms: int = LOCK_TTL_MS
    ) -> None:
        self._redis = redis
        self._lock_ttl_ms = lock_ttl_ms
        self._registry = registry

    async def begin(self, save: Save, *, deadline_s: float) -> Begun:
        """See SaveLedger."""
        names = FileKeys(save.file_id)
        reply = await self._redis.run(
            _BEGIN,
            (
                names.session(save.session_id),
                names.file,
                names.lock,
                names.released,
                names.intents,
            ),
            (
                save.file_id,
                save.lock_id or "",
                save.save_id,
                save.attempt,
                min(COVER_MS, self._lock_ttl_ms),
                GRACE_US,
                "1" if save.session_id else "",
                int(save.shows_part_of_lock),
            ),
            deadline_s=deadline_s,
        )
        standing = _STANDINGS.get(reply[0])
        if standing is None:
            raise session_ended()
        return Begun(
            standing=standing,
            lease=lease(reply[1], int(reply[3])),
            known=known_head(reply[2]),
            path=StoragePath(text(reply[2][2])),
            released_version=text(reply[4]) if standing is Standing.RELEASED else "",
        )

    async def adopt(self, save: Save, base: str, *, deadline_s: float) -> Lease | None:
        """See SaveLedger."""
        names = FileKeys(save.file_id)
        reply = await self._redis.run(
            _ADOPT,
            (names.session(save.session_id), names.file, names.lock, names.events),
            (save.session_id, save.lock_id or "", base, self._lock_ttl_ms, save.holder),
            deadline_s=deadline_s,
        )
        return lease(reply[1], int(reply[2])) if reply[0] == b"held" else None

    async def observe(self, file_id: FileId, head: Head, *, deadline_s: float) -> KnownHead:
        """See SaveLedger."""
        return await self._registry.observe(file_id, head, deadline_s=deadline_s)

    async def publish(self, save: Save, saved: Saved) -> None:
        """See SaveLedger."""
        names = FileKeys(save.file_id)
        head = saved.head
        await self._redis.run(
            _PUBLISH,
            (
                *(names.session(save.session_id), names.file, names.lock),
                *(names.events, names.intents, names.upkeep),
            ),
            (
                head.save_id,
                save.file_id,
                saved.epoch,
                head.fingerprint,
                head.version,
                head.last_modified_us,
                head.size_bytes,
                head.sequence,
                head.sha256,
                head.session,
                head.attempt,
                int(saved.is_news),
                time.time_ns() // 1_000_000 - INTENT_AGE_MAX_MS,
                f"{TWIN}{save.file_id}" if saved.is_twin else save.file_id,
                *_details(save, saved),
                *_trace(),
            ),
        )

    async def announce_rescue(self, save: Save, rescue_id: str, reason: str) -> None:
        """See SaveLedger."""
        names = FileKeys(save.file_id)
        await self._redis.run(
            _ANNOUNCE,
            (names.session(save.session_id), names.file, names.events, names.intents),
            (
                "save_rescued",
                rescue_id,
                f"{save.save_id} {save.file_id}",
                *("recovery_id", rescue_id, "reason", reason),
            ),
        )


def _trace() -> tuple[str, ...]:
    """Let the event's delivery continue the trace of the save."""
    parent = traceparent()
    return (TRACEPARENT, parent) if parent else ()


def _details(save: Save, saved: Saved) -> tuple[str | int, ...]:
    """Fields of ``document_saved``, as name and value in turn."""
    modified = save.is_modified_by_user
    return (
        "version",
        saved.head.version,
        "size",
        saved.head.size_bytes,
        "sha256",
        saved.head.sha256,
        "is_autosave",
        str(save.is_autosave).lower(),
        "is_exit_save",
        str(save.is_exit_save).lower(),
        "is_modified_by_user",
        "null" if modified is None else str(modified).lower(),
        "forced",
        str(saved.forced).lower(),
        "editors",
        ",".join(save.editors),
    )
