"""Fetching every editor's discovery once a minute; one replica at a time does each.

Tenants take turns: each has one address fetched, then comes the next tenant. One with many or slow
addresses ages its own discovery and nobody else's.
"""

import asyncio
from collections import deque
from typing import Final

import msgspec

from genro_wopi.domain.editors import Editor, EditorDirectory
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.isolation import Failed, isolated
from genro_wopi.domain.tenants import TenantStore

INTERVAL_S: Final = 60.0
TENANTS_AT_ONCE: Final = 100
FETCHED_AT_ONCE: Final = 16
INSTANCE: Final = TenantId("")
"""The scope of the editors that everybody uses."""


async def keep_discovery_fresh(
    editors: EditorDirectory, tenants: TenantStore, failed: Failed
) -> None:
    """Fetch until cancelled; what one editor answers ends nobody else's.

    Args:
        editors: fetches.
        tenants: whose editors, besides those of the instance.
        failed: is told of what was raised.
    """
    turns = _Turns(editors, failed)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(FETCHED_AT_ONCE):
            tasks.create_task(turns.serve())
        while True:
            turns.begin(INSTANCE)
            after = ""
            while found := await isolated(
                "listing tenants", failed, tenants.list_tenants, after=after, limit=TENANTS_AT_ONCE
            ):
                for tenant in found:
                    turns.begin(tenant.tenant_id)
                after = found[-1].public_id
            await asyncio.sleep(INTERVAL_S)


class _Turn(msgspec.Struct):
    """A tenant, and what is still to be fetched for it in this round."""

    scope: TenantId
    left: deque[Editor] | None = None
    """None before its editors were looked up."""


class _Turns:
    """The line in which tenants wait; nobody stands in it twice."""

    def __init__(self, editors: EditorDirectory, failed: Failed) -> None:
        self._editors = editors
        self._failed = failed
        self._line: asyncio.Queue[_Turn] = asyncio.Queue()
        self._scopes: set[TenantId] = set()

    def begin(self, scope: TenantId) -> None:
        """Begin a tenant's round, unless its last one goes on."""
        if scope not in self._scopes:
            self._scopes.add(scope)
            self._line.put_nowait(_Turn(scope))

    async def serve(self) -> None:
        """Fetch one address of whoever is next, again and again."""
        while True:
            turn = await self._line.get()
            if turn.left is None:
                turn.left = await self._addresses(turn.scope)
            if turn.left:
                address = turn.left.popleft()
                await isolated("refreshing discovery", self._failed, self._editors.refetch, address)
            if turn.left:
                self._line.put_nowait(turn)
            else:
                self._scopes.discard(turn.scope)

    async def _addresses(self, scope: TenantId) -> deque[Editor]:
        found = await isolated("listing editors", self._failed, self._editors.candidates, (scope,))
        return deque(address for editor in found or () for address in editor.pool)
