"""Recovery copies in Redis; see `genro_wopi.domain.rescues.RescueStore`."""

from typing import Final

import msgspec

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.identifiers import TenantId
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
        await self._redis.pipeline(
            [
                ("DEL", keys.rescue(rescue.tenant_id, rescue.rescue_id)),
                ("ZREM", keys.rescued(rescue.tenant_id), rescue.rescue_id),
                ("HDEL", keys.aside(rescue.tenant_id), rescue.rescue_id),
            ]
        )

    async def older(self, tenant_id: TenantId, *, before_us: int, limit: int) -> list[Rescue]:
        """See RescueStore."""
        index, until = keys.rescued(tenant_id), before_us // 1000
        ids = await self._redis.call("ZRANGEBYSCORE", index, "-inf", until, "LIMIT", 0, limit)
        found = [await self.get(tenant_id, text(rescue_id)) for rescue_id in ids]
        return [rescue for rescue in found if rescue is not None]

    async def get(self, tenant_id: TenantId, rescue_id: str) -> Rescue | None:
        """See RescueStore."""
        record = await self._redis.call("GET", keys.rescue(tenant_id, rescue_id))
        return _rescue.decode(record) if record else None

    async def list_ids(
        self, tenant_id: TenantId, *, after: str, limit: int
    ) -> list[tuple[str, str]]:
        """See RescueStore."""
        start = int(after) if after.isdigit() else 0
        members = await self._redis.call(
            "ZREVRANGE", keys.rescued(tenant_id), start, start + limit - 1
        )
        return [(text(m), str(start + n + 1)) for n, m in enumerate(members)]
