"""Audit records in Redis: one stream per tenant; see `genro_wopi.domain.audit.AuditStore`."""

from collections.abc import Sequence
from typing import Final

import msgspec

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, Reply, text
from genro_wopi.adapters.redis.event_queue import decode_event
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.audit import Actor, AuditFilter, AuditRecord
from genro_wopi.domain.events import Event
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.protocol.decimals import parse_decimal

_APPEND: Final = Script("append_once")

RECORDS_MAX: Final = 100_000
"""Of one tenant; the oldest make room."""

NOTED_S: Final = 3600
EVENTS_AT_ONCE: Final = 200
SCANNED_AT_ONCE: Final = 500
SCANNED_MAX: Final = 20_000
"""Records that one call of a filtered list looks at; the cursor goes on from there."""

_record: Final = msgspec.json.Decoder(AuditRecord)


class RedisAuditStore:
    """Implements `AuditStore`."""

    def __init__(self, redis: RedisClient, partitions: Partitions) -> None:
        self._redis = redis
        self._partitions = partitions

    async def append(self, record: AuditRecord) -> None:
        """See AuditStore."""
        key, encoded = keys.audit(record.tenant_id), msgspec.json.encode(record)
        await self._redis.call("XADD", key, "MAXLEN", "~", RECORDS_MAX, "*", "record", encoded)
        await self._redis.call("SADD", keys.AUDITED, record.tenant_id)

    async def find(
        self, tenant_id: TenantId, wanted: AuditFilter, *, before: str, limit: int
    ) -> tuple[list[AuditRecord], str]:
        """See AuditStore."""
        end = f"({before}" if before else _end(wanted.until_us)
        start = f"{wanted.since_us // 1000}-0" if wanted.since_us else "-"
        found: list[AuditRecord] = []
        scanned, last = 0, ""
        while scanned < SCANNED_MAX:
            entries = await self._redis.call(
                "XREVRANGE", keys.audit(tenant_id), end, start, "COUNT", SCANNED_AT_ONCE
            )
            for entry in entries:
                record = _decoded(entry)
                scanned, last = scanned + 1, record.audit_id
                if wanted.takes(record):
                    found.append(record)
                if len(found) == limit:
                    return found, last
            if len(entries) < SCANNED_AT_ONCE:
                return found, ""
            end = f"({last}"
        return found, last

    async def get(self, tenant_id: TenantId, audit_id: str) -> AuditRecord | None:
        """See AuditStore."""
        milliseconds, _, number = audit_id.partition("-")
        if parse_decimal(milliseconds) is None or parse_decimal(number) is None:
            return None
        entries = await self._redis.call("XRANGE", keys.audit(tenant_id), audit_id, audit_id)
        return _decoded(entries[0]) if entries else None

    async def purge(self, tenant_id: TenantId, *, before_us: int) -> int:
        """See AuditStore."""
        key = keys.audit(tenant_id)
        return int(await self._redis.call("XTRIM", key, "MINID", f"{before_us // 1000}-0"))

    async def keep_events(self) -> int:
        """See AuditStore."""
        partitions = await self._partitions.all()
        queues = [p.unaudited for p in partitions]
        moved = 0
        batches = await self._redis.pipeline(
            [("XRANGE", queue, "-", "+", "COUNT", EVENTS_AT_ONCE) for queue in queues]
        )
        events: list[Event] = []
        kept: list[tuple[str | bytes, ...]] = []
        for names, entries in zip(partitions, batches, strict=True):
            if entries:
                read = (decode_event(names.partition, text(e[1][1]), attempt=0) for e in entries)
                events += [event for event in read if event is not None]
                moved += len(entries)
                kept.append(("XDEL", names.unaudited, *(entry[0] for entry in entries)))
        if events:
            await self._keep(events)
        if kept:
            await self._redis.pipeline(kept)
        return moved

    async def tenants(self) -> Sequence[TenantId]:
        """See AuditStore."""
        return [TenantId(text(t)) for t in await self._redis.call("SMEMBERS", keys.AUDITED)]

    async def _keep(self, events: Sequence[Event]) -> None:
        calls = [
            (
                (keys.audit(tenant_id), keys.audit_noted(tenant_id, event.event_id)),
                ("record", msgspec.json.encode(_record_of(event)).decode(), RECORDS_MAX, NOTED_S),
            )
            for event in events
            for tenant_id in (event.context.tenant_id,)
        ]
        await self._redis.run_each(_APPEND, calls)
        await self._redis.call("SADD", keys.AUDITED, *{e.context.tenant_id for e in events})


def _record_of(event: Event) -> AuditRecord:
    context = event.context
    return AuditRecord(
        at_us=event.at_us,
        tenant_id=context.tenant_id,
        action=event.name,
        actor=Actor.EDITOR,
        account=context.account,
        user=context.user,
        session_id=context.session_id,
        storage_name=context.storage_name,
        file_path=event.file_path,
        file_id=context.file_id,
        details={"event_id": event.event_id, **event.details},
    )


def _decoded(entry: Reply) -> AuditRecord:
    record = _record.decode(entry[1][1])
    return msgspec.structs.replace(record, audit_id=text(entry[0]))


def _end(until_us: int | None) -> str:
    return "+" if until_us is None else f"({until_us // 1000}-0"
