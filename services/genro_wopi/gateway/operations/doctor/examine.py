"""The examination as a whole: the installation for the operator, its own part for a tenant."""

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.doctor import Level
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.tenants import Tenant, tenant_of
from genro_wopi.gateway.operations.doctor.case import Case
from genro_wopi.gateway.operations.doctor.editor_checks import allow_line, examine_editors
from genro_wopi.gateway.operations.doctor.host_checks import examine_host
from genro_wopi.gateway.operations.doctor.redis_checks import examine_redis
from genro_wopi.gateway.operations.doctor.tenant_checks import examine_tenant
from genro_wopi.gateway.operations.office import Office
from genro_wopi.management.doctor import Diagnosis, DoctorRequest

TENANTS_AT_ONCE = 100

_ORDER = list(Level)


async def run_doctor(office: Office, caller: Caller, request: DoctorRequest) -> Diagnosis:
    """Examine everything that the caller may see.

    Raises:
        NotFoundError: there is no such tenant or editor for this caller.
    """
    case, named = Case(), request.tenant_id
    tenants: list[Tenant] = []
    if not caller.is_admin or named is not None:
        tenants = [await tenant_of(office.tenants, caller, named)]
    elif request.editor is None:
        tenants = await _all(office)
    scopes = (*(("",) if caller.is_admin else ()), *(t.tenant_id for t in tenants))
    if request.editor is not None:
        await _require_editor(office, scopes, request.editor)
    else:
        if caller.is_admin:
            await examine_redis(case, office.witness)
            await examine_host(case, office)
        for tenant in tenants:
            await examine_tenant(case, office, tenant)
    if caller.is_admin or request.editor or await office.editors.list_editors(scopes[0]):
        await examine_editors(case, office, scopes, request.editor)
    findings = sorted(case.findings, key=lambda f: (_ORDER.index(f.level), f.check, f.subject))
    return Diagnosis(
        is_healthy=all(f.level is Level.NOTE for f in findings),
        checks=case.checked,
        collabora_allow=allow_line(office),
        items=findings,
    )


async def _all(office: Office) -> list[Tenant]:
    found: list[Tenant] = []
    after = ""
    while page := await office.tenants.list_tenants(after=after, limit=TENANTS_AT_ONCE):
        found += page
        after = page[-1].public_id
    return found


async def _require_editor(office: Office, scopes: tuple[str, ...], name: str) -> None:
    names = [e.name for scope in scopes for e in await office.editors.list_editors(scope)]
    if name not in names:
        known = ", ".join(sorted(names)) or "there is none"
        raise NotFoundError(f"There is no editor {name!r} here ({known}).")
