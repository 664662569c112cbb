"""Which sessions a tenant has, and how many it may have: open ones, and ended ones that are kept.

The index names sessions that are gone, too. They are taken out when there seems to be no more room,
which is looked at only so often, and by whoever lists or cleans up.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.cursors import position
from genro_wopi.domain.errors import RateLimitedError
from genro_wopi.domain.identifiers import SessionId, TenantId, tenant_name
from genro_wopi.domain.sessions import Session

_CLAIM: Final = Script("claim_session")

INDEX_TTL_S: Final = 8 * 86_400
"""The index of a tenant's sessions outlives its longest session (7 days)."""

TIDYING: Final = "tidying"
TIDIED_EVERY_MS: Final = 10_000
TIDIED_AT_ONCE: Final = 1000
BEGUN_MS: Final = 60_000
"""A session is noted before it begins; after a minute it surely did."""

FULL_RETRY_S: Final = 60
"""Sessions end by themselves; asking more often does not help."""


class SessionIndex:
    """The sessions of each tenant.

    Args:
        redis: keeps the index.
        sessions_max: of a tenant; 0: any.
        refused: is told of each session for which there was no room.
    """

    def __init__(
        self,
        redis: RedisClient,
        *,
        sessions_max: int = 0,
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._redis = redis
        self._sessions_max = sessions_max
        self._refused = refused

    async def claim(self, session: Session, *, beyond_share: bool) -> None:
        """Note a session that is about to begin.

        Args:
            session: the new one.
            beyond_share: note it even where there is no room.

        Raises:
            RateLimitedError: the tenant has as many as it may.
        """
        if await self._claimed(session, 0 if beyond_share else self._sessions_max):
            return
        if await self._tidied(session.tenant_id) and await self._claimed(
            session, self._sessions_max
        ):
            return
        self._refused()
        raise RateLimitedError(
            FULL_RETRY_S,
            f"Tenant {tenant_name(session.tenant_id)!r} has {self._sessions_max} sessions that are"
            " open or ended in the last 70 minutes, as many as it may (WOPI_SESSIONS_MAX): close"
            " those that nobody uses and clean up (sessions.cleanup), or wait.",
        )

    async def listed(
        self, tenant_id: TenantId, *, after: str, limit: int
    ) -> list[tuple[SessionId, str]]:
        """Return ids with their cursors, oldest first; a cursor is a position."""
        start = position(after)
        members = await self._redis.call(
            "ZRANGE", keys.tenant_sessions(tenant_id), start, start + limit - 1
        )
        return [(SessionId(text(m)), str(start + n + 1)) for n, m in enumerate(members)]

    async def forget(self, tenant_id: TenantId, session_ids: Sequence[SessionId]) -> None:
        """Take sessions out."""
        if session_ids:
            await self._redis.call("ZREM", keys.tenant_sessions(tenant_id), *session_ids)

    async def _claimed(self, session: Session, sessions_max: int) -> bool:
        index = keys.tenant_sessions(session.tenant_id)
        created_ms = session.created_us // 1000
        arguments = (session.session_id, created_ms, sessions_max, INDEX_TTL_S)
        return bool(await self._redis.run(_CLAIM, (index,), arguments))

    async def _tidied(self, tenant_id: TenantId) -> bool:
        """Take out what is gone; False where that was done a moment ago."""
        turn = ("SET", keys.spent(tenant_id, TIDYING), 1, "NX", "PX", TIDIED_EVERY_MS)
        if await self._redis.call(*turn) is None:
            return False
        index, until_ms = keys.tenant_sessions(tenant_id), time.time_ns() // 1_000_000 - BEGUN_MS
        start = 0
        while found := await self._redis.call(
            "ZRANGEBYSCORE", index, "-inf", until_ms, "LIMIT", start, TIDIED_AT_ONCE
        ):
            names = [SessionId(text(name)) for name in found]
            looks = [("EXISTS", keys.session(name) or "") for name in names]
            known = await self._redis.pipeline(looks)
            gone = [name for name, is_there in zip(names, known, strict=True) if not is_there]
            await self.forget(tenant_id, gone)
            start += len(names) - len(gone)
        return True
