"""Events as an operator sees them; see `genro_wopi.domain.events.EventLog`."""

from typing import Final

import msgspec

from genro_wopi.adapters.redis.client import RedisClient, Reply, text
from genro_wopi.adapters.redis.event_queue import decode_event
from genro_wopi.adapters.redis.keys import PartitionKeys
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.events import EventStatus, LoggedEvent
from genro_wopi.domain.identifiers import TenantId

_REPLAY: Final = Script("replay_event")

SCANNED_MAX: Final = 2000
"""Events of one partition that are looked at."""


class RedisEventLog:
    """Implements `EventLog`."""

    def __init__(self, redis: RedisClient, partition_count: int) -> None:
        self._redis = redis
        self._partitions = [PartitionKeys(n) for n in range(partition_count)]

    async def find(
        self, tenant_id: TenantId, status: EventStatus, *, before_us: int, limit: int
    ) -> list[LoggedEvent]:
        """See EventLog."""
        if status is EventStatus.PENDING:
            found = await self._pending()
        else:
            found = await self._settled(status)
        own = [
            logged
            for logged in found
            if logged.event.context.tenant_id == tenant_id and logged.event.at_us < before_us
        ]
        return sorted(own, key=lambda logged: -logged.event.at_us)[:limit]

    async def replay(self, logged: LoggedEvent) -> bool:
        """See EventLog."""
        names = self._partitions[logged.partition]
        is_dead = logged.status is EventStatus.DEAD
        context = logged.event.context
        lane = f"{context.tenant_id}/{context.file_id}"
        return bool(
            await self._redis.run(
                _REPLAY,
                (names.dead if is_dead else names.done, names.due, names.lane(lane)),
                (logged.entry_id, lane, int(is_dead)),
            )
        )

    async def _settled(self, status: EventStatus) -> list[LoggedEvent]:
        streams = [p.dead if status is EventStatus.DEAD else p.done for p in self._partitions]
        replies = await self._redis.pipeline(
            [("XREVRANGE", stream, "+", "-", "COUNT", SCANNED_MAX) for stream in streams]
        )
        found: list[LoggedEvent] = []
        for names, entries in zip(self._partitions, replies, strict=True):
            for entry_id, fields in entries:
                event = decode_event(names.partition, text(fields[1]), attempt=0)
                found.append(
                    LoggedEvent(
                        event=event,
                        status=status,
                        reason=text(fields[3]),
                        partition=names.partition,
                        entry_id=text(entry_id),
                    )
                )
        return found

    async def _pending(self) -> list[LoggedEvent]:
        found: list[LoggedEvent] = []
        streams = await self._redis.pipeline(
            [("XRANGE", p.events, "-", "+", "COUNT", SCANNED_MAX) for p in self._partitions]
        )
        lanes = await self._redis.pipeline(
            [("ZRANGE", p.due, 0, SCANNED_MAX - 1) for p in self._partitions]
        )
        for names, entries, lane_ids in zip(self._partitions, streams, lanes, strict=True):
            raws = [_as_lane_writes(entry) for entry in entries]
            if lane_ids:
                keys = [names.lane(text(lane)) for lane in lane_ids]
                for waiting in await self._redis.pipeline(
                    [("LRANGE", key, 0, SCANNED_MAX - 1) for key in keys]
                ):
                    raws += [text(raw) for raw in waiting]
            found += [
                LoggedEvent(
                    event=decode_event(names.partition, raw, attempt=0),
                    status=EventStatus.PENDING,
                    reason="",
                    partition=names.partition,
                    entry_id="",
                )
                for raw in raws
            ]
        return found


def _as_lane_writes(entry: list[Reply]) -> str:
    """Write an entry of the stream as take_events.lua does."""
    flat = [text(entry[0]), *(text(field) for field in entry[1])]
    return msgspec.json.encode(flat).decode()
