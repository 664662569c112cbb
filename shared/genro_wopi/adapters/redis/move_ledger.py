"""What Redis remembers of moves; see `genro_wopi.domain.moves.MoveLedger`."""

from typing import Final

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.rows import lease
from genro_wopi.adapters.redis.save_ledger import COVER_MS
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.events import EventName
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import FileId, SessionId
from genro_wopi.domain.locks import mismatch
from genro_wopi.domain.moves import DELETED, MOVER_LIFE_MS, MoveBegun
from genro_wopi.domain.paths import StoragePath
from genro_wopi.protocol.lock_id import LockId

_CLAIM: Final = Script("register_path")
_RELEASE: Final = Script("release_path")
_BEGIN: Final = Script("begin_move")
_FINISH: Final = Script("finish_move")
_SETTLE: Final = Script("settle_move")


class RedisMoveLedger:
    """Implements `MoveLedger`."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def claim(self, record: FileRecord, path: StoragePath) -> bool:
        """See MoveLedger."""
        key = keys.path(record.tenant_id, record.storage_name, path)
        return text(await self._redis.run(_CLAIM, (key,), (record.file_id,))) == record.file_id

    async def release(self, record: FileRecord, path: StoragePath) -> None:
        """See MoveLedger."""
        key = keys.path(record.tenant_id, record.storage_name, path)
        await self._redis.run(_RELEASE, (key,), (record.file_id,))

    async def begin(
        self,
        file_id: FileId,
        target: StoragePath,
        *,
        lock_id: LockId | None,
        session_id: SessionId,
        ignores_lock: bool,
    ) -> MoveBegun:
        """See MoveLedger."""
        names = FileKeys(file_id)
        reply = await self._redis.run(
            _BEGIN,
            (names.file, names.lock, names.intents),
            (
                file_id,
                lock_id or "",
                target,
                COVER_MS,
                MOVER_LIFE_MS,
                session_id,
                int(ignores_lock),
            ),
        )
        if reply[0] == b"mismatch":
            raise mismatch(lease(reply[1], int(reply[2])))
        if reply[0] == b"gone":
            raise NotFoundError("There is no such file.")
        return MoveBegun.NOTED if reply[0] == b"ok" else MoveBegun.BUSY

    async def finish(
        self, file_id: FileId, session_id: SessionId, target: StoragePath, fingerprint: str
    ) -> bool:
        """See MoveLedger."""
        names = FileKeys(file_id)
        is_deleted = target.startswith(f"{DELETED}/")
        event: str = EventName.DOCUMENT_DELETED if is_deleted else EventName.DOCUMENT_RENAMED
        if target.endswith("/"):
            event = ""
        session, upkeep = names.session(session_id), names.upkeep
        every = (session, names.file, names.lock, names.released, names.events, upkeep)
        arguments = (target, fingerprint, event, int(is_deleted), file_id)
        return bool(await self._redis.run(_FINISH, every, arguments))

    async def take_over(self, file_id: FileId, target: StoragePath) -> bool:
        """See MoveLedger."""
        return await self._settle(file_id, target, "take")

    async def call_off(self, file_id: FileId, target: StoragePath) -> None:
        """See MoveLedger."""
        await self._settle(file_id, target, "drop")

    async def _settle(self, file_id: FileId, target: StoragePath, how: str) -> bool:
        names = FileKeys(file_id)
        return bool(await self._redis.run(_SETTLE, (names.file,), (target, how, MOVER_LIFE_MS)))
