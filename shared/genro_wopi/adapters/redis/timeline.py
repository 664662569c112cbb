"""Timelines in Redis, written in the background; see `genro_wopi.domain.timeline.Timeline`."""

import asyncio
from collections import deque
from typing import Final

import msgspec

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.domain.clock import pause
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.identifiers import SessionId
from genro_wopi.domain.isolation import Failed, isolated
from genro_wopi.domain.timeline import TimelineEntry

ENTRIES_MAX: Final = 200
"""Of one session; the oldest make room."""

WAITING_MAX: Final = 20_000
FLUSH_S: Final = 0.5
KEPT_HOURS: Final = 48

SESSIONS_AT_ONCE: Final = 50
"""Requests wait while the commands of so many are put together: some tenths of a millisecond."""

_entry: Final = msgspec.json.Decoder(TimelineEntry)


class RedisTimeline:
    """Implements `Timeline`.

    Args:
        redis: where timelines lie.
        kept_hours: how long after its last entry; 0: none is written, and reading finds nothing.
    """

    def __init__(self, redis: RedisClient, *, kept_hours: int = KEPT_HOURS) -> None:
        self._redis = redis
        self._kept_s = kept_hours * 3600
        self._waiting: dict[SessionId, deque[bytes]] = {}
        self._count = 0

    def note(self, session_id: SessionId, entry: TimelineEntry) -> None:
        """See Timeline; what comes while too much waits is dropped.

        An entry is encoded at once: those of half a second together would hold up requests.
        """
        if not self._kept_s or self._count >= WAITING_MAX:
            return
        self._count += 1
        waiting = self._waiting.get(session_id)
        if waiting is None:
            waiting = self._waiting[session_id] = deque(maxlen=ENTRIES_MAX)
        waiting.append(msgspec.json.encode(entry))

    async def read(self, session_id: SessionId) -> list[TimelineEntry]:
        """See Timeline; replicas write in turns, so the order is that of the moments."""
        key = keys.timeline(session_id)
        if key is None:
            return []
        entries = [_entry.decode(e) for e in await self._redis.call("LRANGE", key, 0, -1)]
        return sorted(entries, key=lambda entry: entry.at_us)

    async def write_until(self, stopping: asyncio.Event, failed: Failed) -> None:
        """Write down what was noted, twice a second and once more at the end."""
        while not stopping.is_set():
            await pause(stopping, FLUSH_S)
            await isolated("writing timelines", failed, self.flush)

    async def flush(self) -> None:
        """Write down what was noted; what Redis does not take is dropped."""
        noted, self._waiting, self._count = list(self._waiting.items()), {}, 0
        for start in range(0, len(noted), SESSIONS_AT_ONCE):
            commands: list[tuple[str | bytes | int, ...]] = []
            for session_id, entries in noted[start : start + SESSIONS_AT_ONCE]:
                key = keys.timeline(session_id)
                if key is not None:
                    commands += [
                        ("RPUSH", key, *entries),
                        ("LTRIM", key, -ENTRIES_MAX, -1),
                        ("EXPIRE", key, self._kept_s),
                    ]
            try:
                await self._redis.pipeline(commands)
            except UnavailableError:
                return
