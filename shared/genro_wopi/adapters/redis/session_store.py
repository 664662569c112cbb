"""Sessions in Redis; see `genro_wopi.domain.sessions.SessionStore`."""

import hashlib
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, number, text
from genro_wopi.adapters.redis.keys import FileKeys, PartitionKeys
from genro_wopi.adapters.redis.rows import (
    GRACE_US,
    KEPT_US,
    OPEN_TTL_MS,
    TOLD_S,
    file_record,
    lease,
    session_of,
    session_status,
)
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.adapters.redis.session_index import INDEX_TTL_S, SessionIndex
from genro_wopi.domain.events import EventContext
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import FileId, SessionId, TenantId
from genro_wopi.domain.sessions import (
    ASKER_UNKNOWN,
    LAUNCH_TTL_MS,
    LAUNCHED_TTL_MS,
    Admission,
    Asker,
    OpenedLaunch,
    Purpose,
    Session,
    SessionEndedError,
    SessionState,
    SessionStatus,
)

_ADMIT: Final = Script("admit")
_CREATE: Final = Script("create_session")
_READ: Final = Script("read_session")
_PLACE: Final = Script("place_session")
_HAND_OUT: Final = Script("hand_out")
_RENEW: Final = Script("renew_session")
_OPEN_LAUNCH: Final = Script("open_launch")
_END: Final = Script("end_session")
_ANNOUNCE: Final = Script("announce")
_PUT_USER_INFO: Final = Script("put_user_info")

LIVE: Final = "live"
ENDED: Final = "ended"
USER_INFO_TTL_S: Final = 400 * 86_400

CHILDREN_MAX: Final = 100
"""So many sessions that were traded from one are renewed with it: copies that its editor shows."""


class RedisSessionStore:
    """Implements `SessionStore`.

    Args:
        redis: keeps the sessions.
        index: which of them are whose; without one a tenant may have any number.
    """

    def __init__(self, redis: RedisClient, index: SessionIndex | None = None) -> None:
        self._redis = redis
        self._index = index or SessionIndex(redis)

    async def admit(
        self,
        session_id: SessionId,
        file_id: FileId,
        purpose: Purpose,
        *,
        deadline_s: float,
        asker: Asker = ASKER_UNKNOWN,
    ) -> Admission:
        """See SessionStore."""
        names = FileKeys(file_id)
        reply = await self._redis.run(
            _ADMIT,
            (names.session(session_id), names.file, names.lock, names.events, names.open),
            (
                *(session_id, file_id, purpose, GRACE_US, KEPT_US, OPEN_TTL_MS),
                *(asker.editor, int(asker.loads)),
            ),
            deadline_s=deadline_s,
        )
        if reply[0] == b"foreign":
            raise SessionEndedError
        file = file_record(file_id, reply[2])
        if reply[0] != b"ok" or file is None:
            raise SessionEndedError(session_of(reply[1]), file)
        now_us = int(reply[4])
        status = session_status(reply[1], now_us)
        return Admission(status=status, file=file, lease=lease(reply[3], now_us), asker=asker)

    async def create(
        self,
        session: Session,
        file: FileRecord,
        *,
        ends_us: int,
        server: str = "",
        beyond_share: bool = False,
    ) -> SessionStatus:
        """See SessionStore."""
        await self._index.claim(session, beyond_share=beyond_share)
        if session.parent:
            await self._adopt(session)
        names = FileKeys(file.file_id)
        user_info = await self._redis.call("GET", keys.user_info(session.tenant_id, session.person))
        context = EventContext(
            tenant_id=session.tenant_id,
            session_id=session.session_id,
            file_id=session.file_id,
            storage_name=session.storage_name,
            account=session.account,
            user=session.user,
            origin_connection_id=session.origin_connection_id,
            origin_page_id=session.origin_page_id,
        )
        row = await self._redis.run(
            _CREATE,
            (names.session(session.session_id), names.file, names.events, names.live),
            (
                file.file_id,
                msgspec.json.encode(session),
                msgspec.json.encode(context),
                int(session.can_save),
                session.created_us,
                session.ttl_ms * 1000,
                ends_us,
                KEPT_US,
                text(user_info),
                session.session_id,
                server,
            ),
        )
        return session_status(row, _now_us())

    async def get(self, session_id: SessionId) -> SessionStatus | None:
        """See SessionStore."""
        key = keys.session(session_id)
        if key is None:
            return None
        row = await self._redis.run(_READ, (key,), (keys.beside(session_id, "file"),))
        return None if row is None else session_status(row, _now_us())

    async def loaded_us(self, file_id: FileId, editor: str) -> int:
        """See SessionStore."""
        return number(await self._redis.call("HGET", FileKeys(file_id).file, f"loaded:{editor}"))

    async def list_ids(
        self, tenant_id: TenantId, *, after: str, limit: int
    ) -> list[tuple[SessionId, str]]:
        """See SessionStore; the cursor is the position in the index."""
        return await self._index.listed(tenant_id, after=after, limit=limit)

    async def place(self, session_id: SessionId, server: str) -> None:
        """See SessionStore."""
        key = keys.session(session_id)
        if key is not None:
            await self._redis.run(_PLACE, (key,), (server,))

    async def forget(self, tenant_id: TenantId, session_ids: Sequence[SessionId]) -> None:
        """See SessionStore."""
        if not session_ids:
            return
        records = [key for key in map(keys.session, session_ids) if key is not None]
        await self._redis.pipeline([("DEL", key) for key in records])
        await self._index.forget(tenant_id, session_ids)

    async def renew(
        self, session_id: SessionId, *, ttl_ms: int, ends_us: int
    ) -> SessionStatus | None:
        """See SessionStore."""
        key = keys.session(session_id)
        if key is None:
            return None
        row = await self._redis.run(_RENEW, *_renewal(session_id, key, ttl_ms, ends_us))
        if row is None:
            return None
        traded = await self._redis.call("HKEYS", keys.children(session_id))
        children = [text(child) for child in traded[:CHILDREN_MAX]]
        known = [(child, keys.session(child)) for child in children]
        calls = [_renewal(child, name, ttl_ms, ends_us) for child, name in known if name]
        if calls:
            await self._redis.run_each(_RENEW, calls)
        return session_status(row, _now_us())

    async def end(self, session_id: SessionId, state: SessionState) -> SessionStatus | None:
        """See SessionStore."""
        key = keys.session(session_id)
        file_id = key and text(await self._redis.call("HGET", key, "fid"))
        if key is None or not file_id:
            return None
        beside = PartitionKeys(int(session_id[:2], 16))
        names = (key, keys.beside(session_id, "file") + file_id, beside.events, beside.live)
        row = await self._redis.run(_END, names, (state, KEPT_US, session_id))
        if row is None:
            return None
        status = session_status(row, _now_us())
        if status.session.parent:
            await self._redis.call("HSET", keys.children(status.session.parent), session_id, ENDED)
        for child in await self._redis.call("HKEYS", keys.children(session_id)):
            await self.end(SessionId(text(child)), state)
        return status

    async def hand_out(self, session: Session, version: str, asker: Asker) -> None:
        """See SessionStore."""
        names = FileKeys(session.file_id)
        await self._redis.run(
            _HAND_OUT,
            (
                *(names.session(session.session_id), names.file, names.lock),
                *(names.events, names.open),
            ),
            (session.session_id, version, asker.editor, int(asker.loads), OPEN_TTL_MS),
        )

    async def put_user_info(self, session: Session, user_info: str) -> None:
        """See SessionStore."""
        kept = keys.user_info(session.tenant_id, session.person)
        await self._redis.call("SET", kept, user_info, "EX", USER_INFO_TTL_S)
        key = keys.session(session.session_id)
        if key is not None:
            await self._redis.run(_PUT_USER_INFO, (key,), (user_info,))

    async def announce(
        self, session: Session, event: str, once_id: str, details: Sequence[str]
    ) -> None:
        """See SessionStore."""
        names = FileKeys(session.file_id)
        every = (
            *(names.session(session.session_id), names.file, names.events, names.intents),
            names.told(session.session_id, once_id),
        )
        await self._redis.run(_ANNOUNCE, every, (event, TOLD_S, "", "", *details))

    async def _adopt(self, session: Session) -> None:
        """Note a traded session beside its parent before it exists, so that it ends with it."""
        key = keys.children(session.parent)
        known = await self._redis.pipeline(
            [
                ("HSETNX", key, session.session_id, LIVE),
                ("EXPIRE", key, INDEX_TTL_S),
                ("HGET", key, session.session_id),
            ]
        )
        if text(known[2]) != LIVE:
            raise SessionEndedError

    async def put_launch(self, code: str, session_id: SessionId) -> None:
        """See SessionStore."""
        await self._redis.call("SET", keys.launch(code), session_id, "PX", LAUNCH_TTL_MS)

    async def launch(self, code: str, *, shown: str, given: str) -> OpenedLaunch | None:
        """See SessionStore; secrets of browsers are kept as digests."""
        arguments = (_digest(shown), _digest(given), LAUNCHED_TTL_MS)
        row = await self._redis.run(_OPEN_LAUNCH, (keys.launch(code),), arguments)
        if row is None:
            return None
        return OpenedLaunch(SessionId(text(row[0])), is_other=row[1] == b"other")


def _renewal(
    session_id: str, key: str, ttl_ms: int, ends_us: int
) -> tuple[tuple[str], tuple[str | int, ...]]:
    """Return keys and arguments of renew_session.lua."""
    beside = (keys.beside(session_id, "file"), keys.beside(session_id, "lock"))
    return (key,), (ttl_ms * 1000, ends_us, GRACE_US, KEPT_US, *beside)


def _now_us() -> int:
    return time.time_ns() // 1000


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest() if secret else ""
