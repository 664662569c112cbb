"""Removing a tenant: nothing of it reaches another one that is given the same id later.

Files and recovery copies stay in the storages, with the evidence that lies beside them.
"""

from typing import Final

import msgspec

from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.sessions import SessionState
from genro_wopi.domain.tenants import Tenant
from genro_wopi.gateway.operations.office import Office

AT_ONCE: Final = 500


async def remove(office: Office, tenant: Tenant) -> None:
    """Suspend a tenant, end its sessions and forget what is known of it.

    The tenant itself goes last: what is interrupted is finished when it is deleted again.
    """
    await office.tenants.put_tenant(
        msgspec.structs.replace(tenant, active=False, revision=tenant.revision + 1)
    )
    await end_sessions(office, tenant.tenant_id)
    while await office.audit.keep_events():
        continue  # What became an audit record later would be the next tenant's.
    await _forget_files(office, tenant.tenant_id)
    await office.tenants.delete_tenant(tenant.tenant_id)


async def end_sessions(office: Office, tenant_id: TenantId) -> None:
    """Revoke and forget all sessions of a tenant id."""
    while found := await office.sessions.list_ids(tenant_id, after="", limit=AT_ONCE):
        ids = [session_id for session_id, _ in found]
        for session_id in ids:
            await office.sessions.end(session_id, SessionState.REVOKED)
        await office.sessions.forget(tenant_id, ids)


async def _forget_files(office: Office, tenant_id: TenantId) -> None:
    cursor = ""
    while True:
        records, cursor = await office.registry.page(tenant_id, cursor=cursor, limit=AT_ONCE)
        for record in records:
            await office.registry.forget(record)
        if not cursor:
            return
