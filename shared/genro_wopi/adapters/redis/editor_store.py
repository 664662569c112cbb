"""Editors and their discovery in Redis; see `genro_wopi.domain.editors.EditorStore`."""

from typing import Final

import msgspec

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.editors import Editor, EditorState

_PUT: Final = Script("put_revision")
_PUT_DISCOVERY: Final = Script("put_discovery")

_editor: Final = msgspec.json.Decoder(Editor)
_state: Final = msgspec.json.Decoder(EditorState)


class RedisEditorStore:
    """Implements `EditorStore`."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def put_editor(self, editor: Editor, *, was: int | None = None) -> bool:
        """See EditorStore."""
        expected = "" if was is None else str(was)
        arguments = (editor.name, expected, msgspec.json.encode(editor).decode())
        return bool(await self._redis.run(_PUT, (keys.editors(editor.scope),), arguments))

    async def get_editor(self, scope: str, name: str) -> Editor | None:
        """See EditorStore."""
        record = await self._redis.call("HGET", keys.editors(scope), name)
        return _editor.decode(record) if record else None

    async def list_editors(self, scope: str) -> list[Editor]:
        """See EditorStore."""
        records = await self._redis.call("HVALS", keys.editors(scope))
        return sorted((_editor.decode(r) for r in records), key=lambda e: (e.priority, e.name))

    async def delete_editor(self, scope: str, name: str) -> bool:
        """See EditorStore."""
        known = await self.get_editor(scope, name)
        if known is None:
            return False
        await self._redis.call("HDEL", keys.editors(scope), name)
        for address in known.pool:
            state = address.state_name
            await self._redis.call("DEL", keys.discovery(scope, state), keys.fetched(scope, state))
        return True

    async def get_state(self, scope: str, name: str) -> EditorState | None:
        """See EditorStore."""
        record = await self._redis.call("GET", keys.discovery(scope, name))
        return _state.decode(record) if record else None

    async def put_state(
        self, scope: str, name: str, state: EditorState, *, was: EditorState | None
    ) -> bool:
        """See EditorStore."""
        fetched_us = was.fetched_us if was else 0
        arguments = (str(fetched_us), msgspec.json.encode(state).decode())
        key = keys.discovery(scope, name)
        return bool(await self._redis.run(_PUT_DISCOVERY, (key,), arguments))

    async def may_fetch(self, scope: str, name: str, *, interval_ms: int) -> bool:
        """See EditorStore."""
        key = keys.fetched(scope, name)
        return await self._redis.call("SET", key, "1", "NX", "PX", interval_ms) is not None
