"""Recovery copies in Redis; see `genro_wopi.domain.rescues.RescueStore`."""

from typing import Final

import msgspec

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.cursors import position
from genro_wopi.domain.errors import InvalidFieldsError
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.paths import parse_path
from genro_wopi.domain.rescues import (
    SESSION_BYTES_MAX,
    SESSION_COPIES_MAX,
    TENANT_BYTES_MAX,
    TENANT_COPIES_MAX,
    Rescue,
    Room,
)

_MAKE_ROOM: Final = Script("make_room")
_rescue: Final = msgspec.json.Decoder(Rescue)


class RedisRescueStore:
    """Implements `RescueStore`."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def make_room(self, rescue: Rescue) -> Room:
        """See RescueStore."""
        reply = await self._redis.run(
            _MAKE_ROOM,
            (keys.aside(rescue.tenant_id),),
            (
                *(rescue.rescue_id, rescue.session_id, rescue.size_bytes, rescue.sha256),
                *(rescue.rescued_us // 1000, SESSION_COPIES_MAX, SESSION_BYTES_MAX),
                *(TENANT_COPIES_MAX, TENANT_BYTES_MAX),
            ),
        )
        if reply[0] == b"full":
            return Room(is_full=True)
        if reply[0] == b"same":
            return Room(known_id=text(reply[1]))
        return Room(replaced_ids=tuple(text(name) for name in reply[1:]))

    async def put(self, rescue: Rescue) -> None:
        """See RescueStore."""
        index = keys.rescued(rescue.tenant_id)
        await self._redis.pipeline(
            [
                (
                    "SET",
                    keys.rescue(rescue.tenant_id, rescue.rescue_id),
                    msgspec.json.encode(rescue),
                ),
                ("ZADD", index, rescue.rescued_us // 1000, rescue.rescue_id),
            ]
        )

    async def forget(self, rescue: Rescue) -> None:
        """See RescueStore."""
        await self._forget(rescue.tenant_id, rescue.rescue_id)

    async def _forget(self, tenant_id: TenantId, rescue_id: str) -> None:
        await self._redis.pipeline(
            [
                ("DEL", keys.rescue(tenant_id, rescue_id)),
                ("ZREM", keys.rescued(tenant_id), rescue_id),
                ("HDEL", keys.aside(tenant_id), rescue_id),
            ]
        )

    async def older(self, tenant_id: TenantId, *, before_us: int, limit: int) -> list[Rescue]:
        """See RescueStore; ids whose note does not describe them are forgotten on the way."""
        index, until = keys.rescued(tenant_id), before_us // 1000
        ids = await self._redis.call("ZRANGEBYSCORE", index, "-inf", until, "LIMIT", 0, limit)
        found: list[Rescue] = []
        for rescue_id in map(text, ids):
            rescue = await self.get(tenant_id, rescue_id)
            if rescue is not None:
                found.append(rescue)
            else:
                await self._forget(tenant_id, rescue_id)
        return found

    async def get(self, tenant_id: TenantId, rescue_id: str) -> Rescue | None:
        """See RescueStore."""
        record = await self._redis.call("GET", keys.rescue(tenant_id, rescue_id))
        return _read(record, tenant_id, rescue_id) if record else None

    async def list_ids(
        self, tenant_id: TenantId, *, after: str, limit: int
    ) -> list[tuple[str, str]]:
        """See RescueStore."""
        start = position(after)
        members = await self._redis.call(
            "ZREVRANGE", keys.rescued(tenant_id), start, start + limit - 1
        )
        return [(text(m), str(start + n + 1)) for n, m in enumerate(members)]


def _read(record: bytes, tenant_id: TenantId, rescue_id: str) -> Rescue | None:
    """Decode a note, as strictly as the one beside the copy, from which it may have been made."""
    try:
        rescue = _rescue.decode(record)
        path = parse_path(rescue.file_path)
    except (msgspec.DecodeError, InvalidFieldsError):
        return None
    if (rescue.tenant_id, rescue.rescue_id) != (tenant_id, rescue_id):
        return None
    return msgspec.structs.replace(rescue, file_path=path)
