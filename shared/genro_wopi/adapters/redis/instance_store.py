"""The installation's record in Redis; see `genro_wopi.domain.instance.InstanceStore`."""

from typing import Final

import msgspec

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient, text
from genro_wopi.domain.instance import Instance

_instance: Final = msgspec.json.Decoder(Instance)


class RedisInstanceStore:
    """Implements `InstanceStore`."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def get(self) -> Instance:
        """See InstanceStore."""
        record = await self._redis.call("GET", keys.INSTANCE)
        return _instance.decode(record) if record else Instance()

    async def put(self, instance: Instance) -> None:
        """See InstanceStore."""
        await self._redis.call("SET", keys.INSTANCE, msgspec.json.encode(instance))

    async def redis_version(self) -> str:
        """See InstanceStore."""
        lines = text(await self._redis.call("INFO", "server")).splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        return fields.get("valkey_version", fields.get("redis_version", ""))
