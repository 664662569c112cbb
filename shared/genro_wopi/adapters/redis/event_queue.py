"""The stream of events and its lanes in Redis; see `genro_wopi.domain.events.EventQueue`."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec

from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.keys import PartitionKeys
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.domain.events import Delivery, Event, EventContext
from genro_wopi.domain.identifiers import TenantId

_TAKE: Final = Script("take_events")
_HOLD: Final = Script("hold_event")
_SETTLE: Final = Script("settle_event")

MOVED_MAX: Final = 200
LOOKED_AT_MAX: Final = 200
CLAIM_MS: Final = 6_000
"""A worker renews its claims every two seconds, so one lapses only when its worker died."""

UNREADABLE: Final = "it cannot be read"

CLUSTER_WAIT_MS: Final = 100
"""No command waits for keys of several nodes: new events are looked for this often."""

REMEMBERED: Final = 1000
"""Delivered events that each partition remembers, for looking at them and sending them again."""

_fields: Final = msgspec.json.Decoder(list[str])
_context: Final = msgspec.json.Decoder(EventContext)
_COMMON: Final = frozenset({"name", "context", "sequence", "path", "at_us"})


class RedisEventQueue:
    """Implements `EventQueue`."""

    def __init__(
        self,
        redis: RedisClient,
        blocking: RedisClient,
        partitions: Partitions,
        *,
        claim_ms: int = CLAIM_MS,
    ) -> None:
        self._redis = redis
        self._blocking = blocking
        self._partitions = partitions
        self._claim_ms = claim_ms

    async def take(
        self,
        *,
        limit: int,
        busy: Mapping[TenantId, int] | None = None,
        full: Mapping[TenantId, str] | None = None,
    ) -> list[Delivery]:
        """See EventQueue."""
        parked = msgspec.json.encode(busy or {}).decode()
        refused = msgspec.json.encode(full or {}).decode()
        limits = (MOVED_MAX, limit, self._claim_ms, parked, LOOKED_AT_MAX, refused)
        partitions = await self._partitions.all()
        calls = [
            (
                (p.events, p.due, p.attempts, p.unaudited, p.dead, p.backlog),
                (p.lane_prefix, *limits),
            )
            for p in partitions
        ]
        taken: list[Delivery] = []
        for names, rows in zip(partitions, await self._redis.run_each(_TAKE, calls), strict=True):
            for row in rows:
                delivery = _delivery(names.partition, row)
                if delivery is None:
                    await self._bury(names, row)
                else:
                    taken.append(delivery)
        return taken

    async def backlog(self) -> dict[TenantId, int]:
        """See EventQueue."""
        waiting: Counter[TenantId] = Counter()
        rows = await self._redis.pipeline(
            [("HGETALL", p.backlog) for p in await self._partitions.all()]
        )
        for row in rows:
            for tenant_id, count in zip(row[::2], row[1::2], strict=True):
                waiting[TenantId(text(tenant_id))] += int(count)
        return dict(waiting)

    async def hold(self, delivery: Delivery) -> None:
        """See EventQueue."""
        names = PartitionKeys(delivery.partition)
        lane = names.lane(delivery.lane)
        arguments = (delivery.lane, delivery.raw, self._claim_ms)
        await self._redis.run(_HOLD, (lane, names.due), arguments)

    async def delivered(self, delivery: Delivery) -> None:
        """See EventQueue."""
        await self._settle(delivery, "done", 0, "")

    async def retry_later(self, delivery: Delivery, *, delay_ms: int) -> None:
        """See EventQueue."""
        await self._settle(delivery, "retry", delay_ms, "")

    async def park(self, delivery: Delivery, *, delay_ms: int) -> None:
        """See EventQueue."""
        await self._settle(delivery, "park", delay_ms, "")

    async def give_up(self, delivery: Delivery, *, reason: str) -> None:
        """See EventQueue."""
        await self._settle(delivery, "dead", 0, reason)

    async def wait(self, *, timeout_ms: int) -> None:
        """See EventQueue; over a cluster it only waits, shortly."""
        if self._blocking.is_clustered:
            await asyncio.sleep(min(timeout_ms, CLUSTER_WAIT_MS) / 1000)
            return
        streams = [p.events for p in await self._partitions.all()]
        ids = ["0-0"] * len(streams)
        command = ("XREAD", "COUNT", 1, "BLOCK", timeout_ms, "STREAMS", *streams, *ids)
        try:
            await self._blocking.call(*command)
        except UnavailableError:
            await asyncio.sleep(timeout_ms / 1000)

    async def _settle(self, delivery: Delivery, outcome: str, delay_ms: int, reason: str) -> None:
        names = PartitionKeys(delivery.partition)
        await self._settle_raw(names, delivery.lane, delivery.raw, outcome, delay_ms, reason)

    async def _bury(self, names: PartitionKeys, row: list[bytes | int]) -> None:
        """Make an event that cannot be read a dead letter, so that its lane goes on."""
        await self._settle_raw(names, text(row[0]), text(row[2]), "dead", 0, UNREADABLE)

    async def _settle_raw(
        self, names: PartitionKeys, lane: str, raw: str, outcome: str, delay_ms: int, reason: str
    ) -> None:
        await self._redis.run(
            _SETTLE,
            (
                names.lane(lane),
                *(names.due, names.attempts, names.dead, names.done, names.backlog),
            ),
            (lane, raw, outcome, delay_ms, reason, REMEMBERED),
        )


def _delivery(partition: int, row: list[bytes | int]) -> Delivery | None:
    raw = text(row[2])
    event = decode_event(partition, raw, attempt=int(row[1]))
    if event is None:
        return None
    return Delivery(partition=partition, lane=text(row[0]), event=event, raw=raw)


def decode_event(partition: int, raw: str, *, attempt: int) -> Event | None:
    """Read an event as take_events.lua writes it into a lane; None where it is not one."""
    try:
        return _event(partition, raw, attempt)
    except (msgspec.MsgspecError, ValueError, KeyError, RecursionError):
        return None


def _event(partition: int, raw: str, attempt: int) -> Event:
    entry_id, *flat = _fields.decode(raw)
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    return Event(
        event_id=f"evt_{partition:02x}_{entry_id.replace('-', '_')}",
        name=fields["name"],
        context=_context.decode(fields["context"]),
        sequence=int(fields["sequence"]),
        file_path=fields["path"],
        at_us=int(fields["at_us"]),
        attempt=attempt,
        details={k: v for k, v in fields.items() if k not in _COMMON},
    )
