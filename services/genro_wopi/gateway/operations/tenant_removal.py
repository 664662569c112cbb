"""Removing a tenant. What is still on its way then comes under an id that nobody has any more.

Files and recovery copies stay in the storages, with the evidence that lies beside them.
"""

from typing import Final

import msgspec

from genro_wopi.domain.errors import ConflictError
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.sessions import SessionState
from genro_wopi.domain.tenants import Tenant
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.operations.storage_claims import note_places

AT_ONCE: Final = 500

LATE_US: Final = 3_600_000_000
"""No request and no claim on an event is under way for longer."""


async def remove(office: Office, tenant: Tenant) -> None:
    """Suspend a tenant, end its sessions and forget what is known of it.

    The tenant itself goes last: what is interrupted is finished when it is deleted again.

    Raises:
        ConflictError: it was changed meanwhile.
    """
    await note_places(office)
    suspended = msgspec.structs.replace(tenant, active=False, revision=tenant.revision + 1)
    if not await office.tenants.put_tenant(suspended, was=tenant.revision):
        raise ConflictError("Another request changed this tenant just now; look at it first.")
    await _end_sessions(office, tenant.tenant_id)
    await _forget_files(office, tenant.tenant_id)
    await office.tenants.delete_tenant(tenant.tenant_id)
    await sweep(office)


async def sweep(office: Office) -> None:
    """Remove what came late of tenants that were deleted a while ago; nothing reads it any more."""
    await office.tenants.sweep_deleted(before_us=office.clock.now_us() - LATE_US)


async def _end_sessions(office: Office, tenant_id: TenantId) -> None:
    """Revoke and forget all sessions of a tenant."""
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
