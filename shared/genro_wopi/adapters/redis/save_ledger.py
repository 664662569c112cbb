"""What Redis remembers of saves; see `genro_wopi.domain.commit.SaveLedger`."""

import time
from typing import Final

import msgspec

from genro_wopi.adapters.redis.client import RedisClient, number, text
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.rows import GRACE_US, KEPT_US, TOLD_S, known_head, lease
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.adapters.redis.upkeep_queue import TWIN
from genro_wopi.adapters.tracing import TRACEPARENT, traceparent
from genro_wopi.domain.events import EventContext
from genro_wopi.domain.files import FileRegistry, Head, KnownHead
from genro_wopi.domain.identifiers import FileId
from genro_wopi.domain.locks import Lease
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.rescues import Rescue
from genro_wopi.domain.saves import Begun, Save, Saved, Standing
from genro_wopi.domain.sessions import SessionEndedError
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
                save.editor,
                KEPT_US,
            ),
            deadline_s=deadline_s,
        )
        standing = _STANDINGS.get(reply[0])
        if standing is None:
            raise SessionEndedError
        return Begun(
            standing=standing,
            lease=lease(reply[1], int(reply[3])),
            known=known_head(reply[2]),
            path=StoragePath(text(reply[2][2])),
            released_version=text(reply[4]) if standing is Standing.RELEASED else "",
            seen_version=text(reply[5]),
            filled_sha256=text(reply[6]),
            loaded_us=number(reply[7]),
        )

    async def adopt(self, save: Save, base: str, *, deadline_s: float) -> Lease | None:
        """See SaveLedger."""
        names = FileKeys(save.file_id)
        reply = await self._redis.run(
            _ADOPT,
            (names.session(save.session_id), names.file, names.lock, names.events),
            (
                *(save.session_id, save.lock_id or "", base, self._lock_ttl_ms, save.holder),
                save.editor,
            ),
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
                save.editor,
                int(saved.fills),
                save.receipt.received_us if save.receipt else 0,
                *_details(save, saved),
                *_trace(),
            ),
        )

    async def forget(self, save: Save) -> None:
        """See SaveLedger."""
        intents = FileKeys(save.file_id).intents
        await self._redis.call("ZREM", intents, f"{save.save_id} {save.file_id}")

    async def announce_rescue(self, rescue: Rescue) -> None:
        """See SaveLedger."""
        names = FileKeys(rescue.file_id)
        context = EventContext(
            tenant_id=rescue.tenant_id,
            session_id=rescue.session_id,
            file_id=rescue.file_id,
            storage_name=rescue.storage_name,
            account=rescue.account,
            user=rescue.user,
        )
        await self._redis.run(
            _ANNOUNCE,
            (
                *(names.session(rescue.session_id), names.file, names.events, names.intents),
                names.told(rescue.session_id, rescue.rescue_id),
            ),
            (
                "save_rescued",
                TOLD_S,
                f"{rescue.rescue_id} {rescue.file_id}",
                msgspec.json.encode(context),
                *("recovery_id", rescue.rescue_id, "reason", rescue.reason),
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
