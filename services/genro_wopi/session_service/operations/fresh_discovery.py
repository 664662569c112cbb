"""Fetching every editor's discovery once a minute; one replica at a time does each."""

import asyncio
from typing import Final

from genro_wopi.domain.editors import EditorDirectory
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.isolation import Failed, isolated
from genro_wopi.domain.tenants import TenantStore

INTERVAL_S: Final = 60.0
TENANTS_AT_ONCE: Final = 100
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
    while True:
        await _refresh(editors, INSTANCE, failed)
        after = ""
        while found := await isolated(
            "listing tenants", failed, tenants.list_tenants, after=after, limit=TENANTS_AT_ONCE
        ):
            for tenant in found:
                await _refresh(editors, tenant.tenant_id, failed)
            after = found[-1].public_id
        await asyncio.sleep(INTERVAL_S)


async def _refresh(editors: EditorDirectory, scope: TenantId, failed: Failed) -> None:
    for editor in await isolated("listing editors", failed, editors.candidates, (scope,)) or ():
        for address in editor.pool:
            await isolated("refreshing discovery", failed, editors.refetch, address)
