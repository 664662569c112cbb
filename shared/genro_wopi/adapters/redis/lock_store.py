"""Locks in Redis; see `genro_wopi.domain.locks.LockStore`."""

import time
from collections.abc import Sequence
from typing import Final

import msgspec

from genro_wopi.adapters.redis.client import Argument, RedisClient, Reply, text
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.rows import (
    GRACE_US,
    KEPT_US,
    LOCK_FIELDS,
    OPEN_TTL_MS,
    lease,
)
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.events import EventContext
from genro_wopi.domain.identifiers import FileId
from genro_wopi.domain.locks import Lease, LockRequest, mismatch
from genro_wopi.domain.sessions import SessionEndedError
from genro_wopi.protocol.lock_id import LOCK_TTL_MS, LockId

_LOCK: Final = Script("lock")
_RELOCK: Final = Script("relock")
_REFRESH: Final = Script("refresh_lock")
_UNLOCK: Final = Script("unlock")
_FORCE_UNLOCK: Final = Script("force_unlock")

RELEASED_TTL_MS: Final = 60_000
"""For a minute after UNLOCK a save that shows the released lock may still arrive."""


class RedisLockStore:
    """Implements `LockStore`."""

    def __init__(self, redis: RedisClient, *, lock_ttl_ms: int = LOCK_TTL_MS) -> None:
        self._redis = redis
        self._lock_ttl_ms = lock_ttl_ms

    async def lock(self, request: LockRequest, *, deadline_s: float) -> str:
        """See LockStore."""
        names = self._names(request)
        arguments = (
            request.session_id,
            request.file_id,
            request.lock_id,
            self._lock_ttl_ms,
            request.attempt,
            request.holder,
            int(request.can_edit),
            GRACE_US,
            KEPT_US,
            request.editor,
            OPEN_TTL_MS,
        )
        every = (*self._held(names, request), names.released, names.events, names.open)
        return await self._change(_LOCK, every, arguments, deadline_s)

    async def relock(self, request: LockRequest, old_lock_id: LockId, *, deadline_s: float) -> str:
        """See LockStore."""
        arguments = (
            request.file_id,
            request.lock_id,
            old_lock_id,
            self._lock_ttl_ms,
            request.request_id,
            GRACE_US,
            KEPT_US,
            request.session_id,
            request.editor,
        )
        names = self._names(request)
        held = (*self._held(names, request), names.open)
        return await self._change(_RELOCK, held, arguments, deadline_s)

    async def refresh(self, request: LockRequest, *, deadline_s: float) -> str:
        """See LockStore."""
        arguments = (
            *(request.file_id, request.lock_id, self._lock_ttl_ms, GRACE_US, KEPT_US),
            *(request.session_id, request.editor),
        )
        names = self._names(request)
        held = (*self._held(names, request), names.open)
        return await self._change(_REFRESH, held, arguments, deadline_s)

    async def unlock(self, request: LockRequest, *, deadline_s: float) -> str:
        """See LockStore."""
        return text((await self._unlock(request, deadline_s, stays=False))[1])

    async def leave(self, request: LockRequest, *, deadline_s: float) -> bool:
        """See LockStore."""
        return (await self._unlock(request, deadline_s, stays=True))[0] == b"ok"

    async def _unlock(self, request: LockRequest, deadline_s: float, *, stays: bool) -> list[Reply]:
        names = self._names(request)
        unknown = EventContext(
            tenant_id=request.tenant_id,
            session_id=request.session_id,
            file_id=request.file_id,
            storage_name="",
            account="",
            user=request.holder,
        )
        arguments = (
            *(request.lock_id, RELEASED_TTL_MS, request.request_id, request.session_id),
            *(request.editor, msgspec.json.encode(unknown), int(stays)),
        )
        every = (*self._held(names, request), names.released, names.events, names.open)
        reply = await self._redis.run(_UNLOCK, every, arguments, deadline_s=deadline_s)
        if reply[0] == b"mismatch":
            raise mismatch(lease(reply[1], int(reply[2])))
        return reply

    async def state(self, file_id: FileId) -> Lease | None:
        """See LockStore."""
        key = FileKeys(file_id).lock
        (*fields, editor), left_ms = await self._redis.pipeline(
            [("HMGET", key, *LOCK_FIELDS, "editor"), ("PTTL", key)]
        )
        return lease([*fields, left_ms, editor], time.time_ns() // 1000)

    async def force_unlock(self, file_id: FileId, lease: Lease, reason: str) -> bool:
        """See LockStore."""
        names = FileKeys(file_id)
        every = (
            names.session(lease.session),
            *(names.file, names.lock, names.released, names.events),
        )
        return bool(await self._redis.run(_FORCE_UNLOCK, every, (lease.epoch, reason)))

    def _names(self, request: LockRequest) -> FileKeys:
        return FileKeys(request.file_id)

    def _held(self, names: FileKeys, request: LockRequest) -> tuple[str, str, str]:
        return names.session(request.session_id), names.file, names.lock

    async def _change(
        self,
        script: Script,
        names: Sequence[str],
        arguments: Sequence[Argument],
        deadline_s: float,
    ) -> str:
        reply = await self._redis.run(script, names, arguments, deadline_s=deadline_s)
        if reply[0] == b"ok":
            return text(reply[1])
        if reply[0] == b"mismatch":
            raise mismatch(lease(reply[1], int(reply[2])))
        raise SessionEndedError
