"""Editors and their discovery in Redis; see `genro_wopi.domain.editors.EditorStore`."""

from collections.abc import Iterable
from typing import Final

import msgspec

from genro_wopi.adapters.redis import keys
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.domain.editors import (
    ADDRESSES_MAX,
    EDITORS_MAX,
    Editor,
    EditorState,
    StatePut,
)
from genro_wopi.domain.errors import FieldError, InvalidFieldsError

_PUT: Final = Script("put_editor")
_PUT_DISCOVERY: Final = Script("put_discovery")

_TOO_MANY: Final = {
    -1: FieldError(
        "name", f"a tenant has at most {EDITORS_MAX} editors; remove one that is not used first"
    ),
    -2: FieldError(
        "addresses", f"the editors of a tenant have at most {ADDRESSES_MAX} addresses in all"
    ),
}

_editor: Final = msgspec.json.Decoder(Editor)
_state: Final = msgspec.json.Decoder(EditorState)


class RedisEditorStore:
    """Implements `EditorStore`."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def put_editor(self, editor: Editor, *, was: int | None = None) -> bool:
        """See EditorStore; the operator has as many editors as it likes."""
        before = await self.get_editor(editor.scope, editor.name)
        most = (EDITORS_MAX, ADDRESSES_MAX) if editor.scope else (0, 0)
        expected = "" if was is None else str(was)
        record = msgspec.json.encode(editor).decode()
        written = await self._redis.run(
            _PUT, (keys.editors(editor.scope),), (editor.name, expected, record, *most)
        )
        if written in _TOO_MANY:
            raise InvalidFieldsError((_TOO_MANY[written],))
        if written and before is not None:
            left = {a.state_name for a in before.pool} - {a.state_name for a in editor.pool}
            await self._forget(editor.scope, left)
        return bool(written)

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
        await self._forget(scope, {address.state_name for address in known.pool})
        return True

    async def _forget(self, scope: str, state_names: Iterable[str]) -> None:
        """Forget what was fetched of addresses that no editor has any more."""
        for name in state_names:
            await self._redis.call("DEL", keys.discovery(scope, name), keys.fetched(scope, name))

    async def get_state(self, scope: str, name: str) -> EditorState | None:
        """See EditorStore."""
        record = await self._redis.call("GET", keys.discovery(scope, name))
        return _state.decode(record) if record else None

    async def put_state(
        self, editor: Editor, state: EditorState, *, was: EditorState | None
    ) -> StatePut:
        """See EditorStore."""
        fetched_us = was.fetched_us if was else 0
        record = msgspec.json.encode(state).decode()
        names = (keys.discovery(editor.scope, editor.state_name), keys.editors(editor.scope))
        arguments = (str(fetched_us), record, editor.name, editor.url)
        return StatePut(await self._redis.run(_PUT_DISCOVERY, names, arguments))

    async def may_fetch(self, scope: str, name: str, *, interval_ms: int) -> bool:
        """See EditorStore."""
        key = keys.fetched(scope, name)
        return await self._redis.call("SET", key, "1", "NX", "PX", interval_ms) is not None
