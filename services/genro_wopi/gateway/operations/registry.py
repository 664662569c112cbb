"""Taking the registry along: which file has which id."""

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.cursors import open_cursor, seal_cursor
from genro_wopi.domain.errors import FieldError, InvalidFieldsError
from genro_wopi.domain.identifiers import SLUG, FileId
from genro_wopi.domain.paths import StoragePath, parse_path
from genro_wopi.domain.tenants import tenant_id_of
from genro_wopi.gateway.operations.office import Office
from genro_wopi.management.registry import (
    RegisteredFile,
    RegistryImport,
    RegistryImported,
    RegistryPage,
    RegistryRequest,
)


async def export_registry(office: Office, caller: Caller, request: RegistryRequest) -> RegistryPage:
    """Export some of a tenant's files with their ids."""
    tenant_id = await tenant_id_of(office.tenants, caller, request.tenant_id)
    context = f"registry.export/{tenant_id}"
    place = open_cursor(office.ring, request.cursor, context=context)
    records, following = await office.registry.page(tenant_id, cursor=place, limit=request.limit)
    cursor = seal_cursor(office.ring, following, context=context)
    items = [
        RegisteredFile(file_id=r.file_id, storage_name=r.storage_name, path=r.path)
        for r in records
        if not r.is_deleted
    ]
    return RegistryPage(items=items, next_cursor=cursor or None)


async def import_registry(
    office: Office, caller: Caller, request: RegistryImport
) -> RegistryImported:
    """Give files the ids that they had elsewhere, or before.

    Raises:
        InvalidFieldsError: a path leaves its storage; nothing was imported.
    """
    tenant = await tenant_id_of(office.tenants, caller, request.tenant_id)
    places = [(item, _checked(item)) for item in request.items]
    refused: list[RegisteredFile] = []
    for item, path in places:
        place = StoragePath(f"{path}/") if item.path.endswith("/") else path
        adopted = await office.registry.adopt(
            FileId(item.file_id), tenant, item.storage_name, place, may_widen=caller.is_admin
        )
        if not adopted:
            refused.append(item)
    return RegistryImported(imported=len(places) - len(refused), refused=refused)


def _checked(item: RegisteredFile) -> StoragePath:
    if SLUG.fullmatch(item.storage_name) is None:
        raise InvalidFieldsError((FieldError("storage_name", "it is no name of a storage"),))
    return parse_path(item.path.rstrip("/"), field="path")
