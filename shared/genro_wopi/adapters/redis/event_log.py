"""Events as an operator sees them; see `genro_wopi.domain.events.EventLog`."""

from collections.abc import AsyncIterator
from heapq import merge
from typing import Final

import msgspec

from genro_wopi.adapters.redis.client import RedisClient, Reply, text
from genro_wopi.adapters.redis.event_queue import decode_event
from genro_wopi.adapters.redis.keys import PartitionKeys
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.events import EventStatus, LoggedEvent
from genro_wopi.domain.identifiers import TenantId

_REPLAY: Final = Script("replay_event")

SCANNED_AT_ONCE: Final = 500


class RedisEventLog:
    """Implements `EventLog`."""

    def __init__(self, redis: RedisClient, partitions: Partitions) -> None:
        self._redis = redis
        self._partitions = partitions

    async def find(
        self, tenant_id: TenantId, status: EventStatus, *, before: str, limit: int
    ) -> list[LoggedEvent]:
        """See EventLog."""
        found: list[list[LoggedEvent]] = []
        for names in await self._partitions.all():
            events = (
                self._pending(names, tenant_id)
                if status is EventStatus.PENDING
                else self._settled(names, status)
            )
            own = [
                logged
                async for logged in events
                if logged.event.context.tenant_id == tenant_id
                and (not before or logged.position < before)
            ]
            found.append(sorted(own, key=_position, reverse=True)[:limit])
        return list(merge(*found, key=_position, reverse=True))[:limit]

    async def replay(self, logged: LoggedEvent) -> bool:
        """See EventLog."""
        names = PartitionKeys(logged.partition)
        is_dead = logged.status is EventStatus.DEAD
        context = logged.event.context
        lane = f"{context.tenant_id}/{context.file_id}"
        return bool(
            await self._redis.run(
                _REPLAY,
                (
                    *(names.dead if is_dead else names.done, names.due),
                    *(names.lane(lane), names.backlog),
                ),
                (logged.entry_id, lane, int(is_dead)),
            )
        )

    async def totals(self) -> tuple[int, int]:
        """See EventLog."""
        partitions = await self._partitions.all()
        commands = [("XLEN", p.dead) for p in partitions] + [("ZCARD", p.live) for p in partitions]
        counts = [int(count) for count in await self._redis.pipeline(commands)]
        return sum(counts[: len(partitions)]), sum(counts[len(partitions) :])

    async def waiting_s(self) -> float:
        """See EventLog."""
        streams = [p.events for p in await self._partitions.all()]
        heads = await self._redis.pipeline(
            [("XRANGE", s, "-", "+", "COUNT", 1) for s in streams] + [("TIME",)]
        )
        now_ms = int(heads[-1][0]) * 1000
        oldest = [int(text(entries[0][0]).partition("-")[0]) for entries in heads[:-1] if entries]
        return max(0.0, (now_ms - min(oldest)) / 1000) if oldest else 0.0

    async def end_dead(self, *, before_us: int) -> int:
        """See EventLog."""
        until = f"{before_us // 1000}-0"
        streams = [p.dead for p in await self._partitions.all()]
        counts = await self._redis.pipeline([("XTRIM", s, "MINID", until) for s in streams])
        return sum(int(count) for count in counts)

    async def _settled(
        self, names: PartitionKeys, status: EventStatus
    ) -> AsyncIterator[LoggedEvent]:
        stream = names.dead if status is EventStatus.DEAD else names.done
        end = "+"
        while True:
            entries = await self._redis.call(
                "XREVRANGE", stream, end, "-", "COUNT", SCANNED_AT_ONCE
            )
            for entry_id, fields in entries:
                event = decode_event(names.partition, text(fields[1]), attempt=0)
                if event is not None:
                    yield LoggedEvent(
                        event=event,
                        status=status,
                        reason=text(fields[3]),
                        partition=names.partition,
                        entry_id=text(entry_id),
                    )
            if len(entries) < SCANNED_AT_ONCE:
                return
            end = f"({text(entries[-1][0])}"

    async def _pending(
        self, names: PartitionKeys, tenant_id: TenantId
    ) -> AsyncIterator[LoggedEvent]:
        async for raw in self._new(names):
            if (logged := _waiting(names, raw)) is not None:
                yield logged
        prefix, cursor = f"{tenant_id}/", "0"
        while True:
            cursor, rows = await self._redis.call(
                "ZSCAN", names.due, cursor, "MATCH", f"{prefix}*", "COUNT", SCANNED_AT_ONCE
            )
            lanes = [names.lane(text(lane)) for lane in rows[::2]]
            for lane in lanes:
                async for raw in self._lane(lane):
                    if (logged := _waiting(names, raw)) is not None:
                        yield logged
            if text(cursor) == "0":
                return

    async def _new(self, names: PartitionKeys) -> AsyncIterator[str]:
        """Read the stream, as take_events.lua writes it into lanes."""
        start = "-"
        while True:
            entries = await self._redis.call(
                "XRANGE", names.events, start, "+", "COUNT", SCANNED_AT_ONCE
            )
            for entry in entries:
                yield _as_lane_writes(entry)
            if len(entries) < SCANNED_AT_ONCE:
                return
            start = f"({text(entries[-1][0])}"

    async def _lane(self, lane: str) -> AsyncIterator[str]:
        start = 0
        while raws := await self._redis.call("LRANGE", lane, start, start + SCANNED_AT_ONCE - 1):
            for raw in raws:
                yield text(raw)
            start += len(raws)


def _position(logged: LoggedEvent) -> str:
    return logged.position


def _waiting(names: PartitionKeys, raw: str) -> LoggedEvent | None:
    event = decode_event(names.partition, raw, attempt=0)
    if event is None:
        return None
    return LoggedEvent(
        event=event,
        status=EventStatus.PENDING,
        reason="",
        partition=names.partition,
        entry_id="",
    )


def _as_lane_writes(entry: list[Reply]) -> str:
    flat = [text(entry[0]), *(text(field) for field in entry[1])]
    return msgspec.json.encode(flat).decode()
