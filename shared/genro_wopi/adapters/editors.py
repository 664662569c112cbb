"""Editors: their discovery fetched, shared through Redis as the last good copy, briefly cached."""

import time
from typing import Final

import httpcore
import msgspec

from genro_wopi.adapters.directory import BriefCache
from genro_wopi.adapters.http.egress import EgressPolicy, GuardedNetwork
from genro_wopi.adapters.http.fetch import Answer, FetchError, fetch
from genro_wopi.domain.editors import (
    Editor,
    EditorState,
    EditorStore,
    SeenKeys,
    StatePut,
    ranked,
)
from genro_wopi.domain.sessions import EditorRef
from genro_wopi.protocol.discovery import (
    DISCOVERY_SIZE_BYTES_MAX,
    Discovery,
    InvalidDiscoveryError,
    parse_discovery,
)
from genro_wopi.protocol.proof import KEYS_MAX

REFETCH_INTERVAL_MS: Final = 10_000
"""After a proof that no key verifies, discovery is fetched at most this often."""

FETCH_TIMEOUT_S: Final = 5.0
KEYS_KEPT_US: Final = 24 * 3600 * 1_000_000
"""Keys that any of an editor's pods showed in the last day stay valid."""

FRESH_S: Final = 5.0

_UNKNOWN: Final = EditorState(
    discovery=Discovery(actions=(), proof_keys=None), fetched_us=0, seen_keys=(), had_keys=False
)


class FetchingEditorDirectory:
    """Implements `EditorDirectory`."""

    def __init__(
        self, store: EditorStore, policy: EgressPolicy, *, fresh_s: float = FRESH_S
    ) -> None:
        self._store = store
        self._pool = httpcore.AsyncConnectionPool(network_backend=GuardedNetwork(policy))
        self._lists = BriefCache(store.list_editors, fresh_s=fresh_s)
        self._states = BriefCache(self._load_state, fresh_s=fresh_s)

    async def candidates(self, scopes: tuple[str, ...]) -> list[Editor]:
        """See EditorDirectory."""
        return [editor for scope in scopes for editor in await self._lists.get(scope)]

    async def editor(self, ref: EditorRef) -> Editor | None:
        """See EditorDirectory; one that is not known yet was configured a moment ago."""
        found = _named(await self._lists.get(ref.scope), ref.name)
        if found is None:
            self._lists.forget(ref.scope)
            found = _named(await self._lists.get(ref.scope), ref.name)
        return found

    async def answering(self, editor: Editor, file_id: str) -> tuple[Editor, EditorState] | None:
        """See EditorDirectory."""
        silent: tuple[Editor, EditorState] | None = None
        for address in ranked(editor.pool, file_id):
            state = await self.state(address)
            if state is not None and state.last_error is None:
                return address, state
            if state is not None:
                silent = silent or (address, state)
        return silent

    async def state(self, editor: Editor) -> EditorState | None:
        """See EditorDirectory."""
        state = _usable(await self._states.get((editor.scope, editor.state_name)))
        return await self.refetch(editor) if state is None else state

    async def refetch(self, editor: Editor) -> EditorState | None:
        """See EditorDirectory."""
        key = (editor.scope, editor.state_name)
        if await self._store.may_fetch(*key, interval_ms=REFETCH_INTERVAL_MS):
            return await self.fetch(editor)
        self._states.forget(key)
        return _usable(await self._states.get(key))

    async def fetch(self, editor: Editor) -> EditorState | None:
        """Fetch discovery now; a copy that cannot be used never replaces a good one.

        Of an address that was removed meanwhile nothing is kept. Where another process fetched a
        good copy meanwhile, a failure is forgotten, and keys that both saw are kept.
        """
        key = (editor.scope, editor.state_name)
        known = await self._store.get_state(*key)
        discovery, failure = await self._fetched(editor)
        while True:
            if discovery is not None:
                state = _merged(known, discovery, time.time_ns() // 1000)
            else:
                state = msgspec.structs.replace(known or _UNKNOWN, last_error=failure)
            put = await self._store.put_state(editor, state, was=known)
            self._states.forget(key)
            if put is not StatePut.OTHER:
                return _usable(state) if put is StatePut.WRITTEN else None
            known = await self._store.get_state(*key)
            if known is None or discovery is None:
                return _usable(known)  # It was removed, or fetched by somebody else.

    async def _fetched(self, editor: Editor) -> tuple[Discovery | None, str]:
        try:
            answer = await fetch(
                self._pool,
                "GET",
                editor.discovery_url,
                timeout_s=FETCH_TIMEOUT_S,
                answer_bytes_max=DISCOVERY_SIZE_BYTES_MAX,
            )
            return _parsed(answer), ""
        except (FetchError, InvalidDiscoveryError) as error:
            return None, str(error)

    async def aclose(self) -> None:
        """Close connections."""
        await self._pool.aclose()

    async def _load_state(self, key: tuple[str, str]) -> EditorState | None:
        return await self._store.get_state(*key)


def _named(editors: list[Editor], name: str) -> Editor | None:
    return next((e for e in editors if e.name == name), None)


def _usable(state: EditorState | None) -> EditorState | None:
    """Return a copy that names actions; None where only failures are known."""
    return state if state is not None and state.discovery.actions else None


def _parsed(answer: Answer) -> Discovery:
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise FetchError(f"it answered {answer.status}")
    return parse_discovery(answer.body)


def _merged(known: EditorState | None, discovery: Discovery, now_us: int) -> EditorState:
    """Add a fresh copy to what was known: keys of the last day stay."""
    seen: list[SeenKeys] = []
    if discovery.proof_keys is not None:
        seen.append(SeenKeys(discovery.proof_keys, now_us))
    for earlier in known.seen_keys if known else ():
        is_recent = now_us - earlier.seen_us < KEYS_KEPT_US
        if is_recent and len(seen) < KEYS_MAX and all(earlier.keys != s.keys for s in seen):
            seen.append(earlier)
    return EditorState(
        discovery=discovery,
        fetched_us=now_us,
        seen_keys=tuple(seen),
        had_keys=bool(seen) or (known is not None and known.had_keys),
    )
