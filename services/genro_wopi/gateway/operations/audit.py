"""The audit trail: noting commands, looking at records, exporting and purging them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final, cast

import msgspec

from genro_wopi.domain.audit import Actor, AuditFilter, AuditRecord
from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.identifiers import SLUG, TenantId, TenantName, tenant_name
from genro_wopi.domain.tenants import tenant_id_of
from genro_wopi.gateway.operations.files import Download
from genro_wopi.gateway.operations.moments import moment_us
from genro_wopi.gateway.operations.office import Office
from genro_wopi.management.audit import (
    AuditList,
    AuditListRequest,
    AuditPurge,
    AuditPurged,
    AuditQuery,
    AuditRef,
    AuditView,
)
from genro_wopi.management.operation import Content, Operation
from genro_wopi.protocol.times import format_us

EXPORTED_AT_ONCE: Final = 500
VALUE_LENGTH_MAX: Final = 500

_SHOWN: Final = frozenset(
    {"id", "name", "key_id", "event_id", "recovery_id", "audit_id", "version", "editor", "target"}
    | {"permissions", "protocol", "cascade", "dry_run", "repair", "reason", "before", "template"}
)
"""Parameters that a record shows besides its own fields; none of them can hold a secret."""


def is_audited(operation: Operation[Any, Any]) -> bool:
    """Tell whether an operation is noted: it changes something, or hands out a document."""
    return operation.method != "GET" or operation.content is Content.DOWNLOAD


async def note_command(
    office: Office,
    operation: Operation[Any, Any],
    caller: Caller,
    parameters: msgspec.Struct,
    *,
    status: int,
    reason: str,
) -> None:
    """Note a command that has ended.

    Raises:
        UnavailableError: Redis is away.
    """
    values = msgspec.structs.asdict(parameters)

    def value(name: str) -> str:
        found = values.get(name) or ""
        if isinstance(found, list):
            found = ",".join(map(str, cast("list[object]", found)))
        return str(found)[:VALUE_LENGTH_MAX]

    tenant_id = caller.tenant_id or TenantId("")
    named = value("tenant_id") or _named(operation, values)
    if caller.is_admin and SLUG.fullmatch(named):
        tenant = await office.tenants.get_tenant(TenantName(named))
        tenant_id = tenant.tenant_id if tenant else tenant_id
    details = {n: value(n) for n in sorted(_SHOWN) if value(n)}
    await office.audit.append(
        AuditRecord(
            at_us=office.clock.now_us(),
            tenant_id=tenant_id,
            action=operation.name,
            actor=Actor.OPERATOR if caller.is_admin else Actor.APPLICATION,
            status=status,
            reason=reason[:VALUE_LENGTH_MAX],
            account=value("account"),
            user=value("user"),
            session_id=value("session_id"),
            storage_name=value("storage_name"),
            file_path=value("file_path") or value("path"),
            file_id=value("file_id"),
            details=details,
        )
    )


def _named(operation: Operation[Any, Any], values: dict[str, Any]) -> str:
    return str(values.get("id") or "") if operation.name.startswith("tenants.") else ""


async def list_audit(office: Office, caller: Caller, request: AuditListRequest) -> AuditList:
    """List records, the newest first."""
    found, cursor = await office.audit.find(
        await _whose(office, caller, request.tenant_id),
        _filter(request),
        before=request.cursor,
        limit=request.limit,
    )
    return AuditList(items=[_view(r) for r in found], next_cursor=cursor or None)


async def get_audit(office: Office, caller: Caller, request: AuditRef) -> AuditView:
    """Show one record.

    Raises:
        NotFoundError: there is none that the caller may see.
    """
    record = await office.audit.get(
        await _whose(office, caller, request.tenant_id), request.audit_id
    )
    if record is None:
        raise NotFoundError("There is no such audit record, or not any more.")
    return _view(record)


async def export_audit(
    office: Office, caller: Caller, request: AuditQuery, _byte_range: str | None
) -> Download:
    """Export records as JSON lines."""
    tenant_id, wanted = await _whose(office, caller, request.tenant_id), _filter(request)

    async def lines() -> AsyncIterator[bytes]:
        cursor = ""
        while True:
            found, cursor = await office.audit.find(
                tenant_id, wanted, before=cursor, limit=EXPORTED_AT_ONCE
            )
            yield b"".join(msgspec.json.encode(_view(record)) + b"\n" for record in found)
            if not cursor:
                return

    return Download(size_bytes=None, version="", part=None, chunks=lines(), source=AsyncExitStack())


async def purge_audit(office: Office, caller: Caller, request: AuditPurge) -> AuditPurged:
    """Remove records for good."""
    before_us = moment_us("before", request.before)
    tenant_id = await _whose(office, caller, request.tenant_id)
    return AuditPurged(removed=await office.audit.purge(tenant_id, before_us=before_us))


async def _whose(office: Office, caller: Caller, named: str | None) -> TenantId:
    if caller.is_admin and named is None:
        return TenantId("")
    return await tenant_id_of(office.tenants, caller, named)


def _filter(request: AuditQuery) -> AuditFilter:
    return AuditFilter(
        action=request.action,
        account=request.account,
        user=request.user,
        session_id=request.session_id,
        file_path=request.file_path,
        since_us=moment_us("since", request.since) if request.since else 0,
        until_us=moment_us("until", request.until) if request.until else None,
    )


def _view(record: AuditRecord) -> AuditView:
    values = msgspec.structs.asdict(record)
    timestamp = format_us(values.pop("at_us"))
    values["tenant_id"] = tenant_name(record.tenant_id)
    return AuditView(timestamp=timestamp, **values)
