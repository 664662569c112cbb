"""The installation as a whole."""

import msgspec
from msgspec import UNSET

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.identifiers import tenant_name
from genro_wopi.domain.instance import Instance
from genro_wopi.gateway.operations.office import Office
from genro_wopi.management.instance import (
    CallerView,
    InstancePatch,
    InstanceStatus,
    InstanceSuspend,
    InstanceView,
    NoParameters,
)

TENANTS_PER_PAGE = 1000


async def get_caller(_office: Office, caller: Caller, _request: NoParameters) -> CallerView:
    """Tell whose token a request shows."""
    if caller.tenant_id is None:
        return CallerView(role="admin", tenant_id=None, scopes=list(caller.scopes))
    name = tenant_name(caller.tenant_id)
    return CallerView(role="tenant", tenant_id=name, scopes=list(caller.scopes))


async def get_instance(office: Office, _caller: Caller, _request: NoParameters) -> InstanceView:
    """Show the installation."""
    return _view(office, await office.instances.get())


async def update_instance(office: Office, _caller: Caller, request: InstancePatch) -> InstanceView:
    """Change the installation's name."""
    instance = await office.instances.get()
    if request.name is not UNSET:
        instance = msgspec.structs.replace(instance, name=request.name)
        await office.instances.put(instance)
    return _view(office, instance)


async def instance_status(
    office: Office, _caller: Caller, _request: NoParameters
) -> InstanceStatus:
    """Show how the installation is."""
    instance = await office.instances.get()
    tenants, after = 0, ""
    while page := await office.tenants.list_tenants(after=after, limit=TENANTS_PER_PAGE):
        tenants += len(page)
        after = page[-1].public_id
    return InstanceStatus(
        state="suspended" if instance.suspended else "active",
        version=office.version,
        redis_version=await office.instances.redis_version(),
        tenants=tenants,
        session_service_ready=await office.session_service_ready(),
    )


async def suspend_instance(
    office: Office, _caller: Caller, request: InstanceSuspend
) -> InstanceView:
    """Open nothing new from now on."""
    return await _switch(office, suspended=True, reason=request.reason)


async def activate_instance(
    office: Office, _caller: Caller, _request: NoParameters
) -> InstanceView:
    """Open documents again."""
    return await _switch(office, suspended=False, reason="")


async def _switch(office: Office, *, suspended: bool, reason: str) -> InstanceView:
    instance = await office.instances.get()
    instance = msgspec.structs.replace(instance, suspended=suspended, reason=reason)
    await office.instances.put(instance)
    return _view(office, instance)


def _view(office: Office, instance: Instance) -> InstanceView:
    return InstanceView(
        name=instance.name,
        suspended=instance.suspended,
        reason=instance.reason or None,
        version=office.version,
        public_url=office.public_url,
    )
