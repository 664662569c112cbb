"""Creating a session: everything is checked before anything is written."""

import secrets

import msgspec

from genro_wopi.domain.budgets import Budget
from genro_wopi.domain.callers import Caller
from genro_wopi.domain.errors import ForbiddenError, NotFoundError, UnavailableError
from genro_wopi.domain.files import FileRecord, Head
from genro_wopi.domain.identifiers import new_session_id
from genro_wopi.domain.paths import parse_path
from genro_wopi.domain.private_info import PrivateInfo, seal_private_info
from genro_wopi.domain.sessions import (
    TTL_S_DEFAULT,
    Permission,
    Session,
    SessionOptions,
)
from genro_wopi.domain.storages import StorageNode
from genro_wopi.domain.tenants import Tenant, WopiMode, tenant_id_of
from genro_wopi.management.sessions import SessionCreate, SessionCreated
from genro_wopi.protocol.editor_url import ttl_for_editor
from genro_wopi.protocol.times import format_us
from genro_wopi.session_service.operations.choose_editor import (
    Choice,
    choose_editor,
    editor_start,
    require_editor,
)
from genro_wopi.session_service.operations.desk import Desk
from genro_wopi.session_service.operations.options import check_options


async def create_session(desk: Desk, caller: Caller, request: SessionCreate) -> SessionCreated:
    """Create a session on a file that exists.

    Raises:
        NotFoundError: no such tenant, storage or file.
        ForbiddenError: the tenant may not edit (wopi_mode disabled).
        InvalidFieldsError: the path leaves the storage, an option cannot be used, or the named
            editor does not exist.
        StorageFaultError: the storage does not answer.
        RateLimitedError: the tenant created as many in this minute, or has as many, as it may.
        UnavailableError: the operator has suspended the installation.
    """
    path = parse_path(request.file_path)
    check_options(request.options or SessionOptions())
    instance = await desk.instances.get()
    if instance.suspended:
        raise UnavailableError(instance.reason or "This installation is suspended by its operator.")
    tenant_id = await tenant_id_of(desk.tenants, caller, request.tenant_id)
    tenant = await desk.directory.tenant(tenant_id)
    await desk.budgets.spend(tenant_id, Budget.SESSIONS, 1)
    if tenant.wopi_mode is WopiMode.DISABLED:
        raise ForbiddenError("Editing is disabled for this tenant (wopi_mode).")
    storage = await desk.directory.storage(tenant.tenant_id, request.storage_name)
    node = (await desk.storages.open(storage)).node(path)
    head = await _existing(node)
    is_empty = head.size_bytes == 0
    if request.editor is not None:
        await require_editor(desk, tenant, request.editor)
    file = await desk.registry.register(tenant.tenant_id, storage.name, path)
    await desk.registry.observe(file.file_id, head)
    choice = await choose_editor(
        desk,
        tenant,
        file,
        named=request.editor,
        wants_edit=Permission.EDIT in request.permissions,
        is_empty=is_empty,
    )
    session = _session(desk, tenant, file, request, choice)
    ends_us = session.created_us + session.lifetime_ms * 1000
    start = await editor_start(desk, session, is_empty=is_empty)
    status = await desk.sessions.create(session, file, ends_us=ends_us, server=start.server)
    code = secrets.token_urlsafe(24)
    await desk.sessions.put_launch(code, session.session_id)
    token = desk.token(status).reveal()
    url = start.url
    if url and session.options.include_token_in_editor_url:
        ttl_ms = ttl_for_editor(session.kind, status.ends_us // 1000)
        url += f"&access_token={token}&access_token_ttl={ttl_ms}"
    return SessionCreated(
        session_id=session.session_id,
        file_id=file.file_id,
        wopi_src=desk.wopi_src(file.file_id),
        access_token=token,
        access_token_ttl=status.ends_us // 1000,
        editor_url=url,
        launch_url=f"{desk.public_url}/open/{code}",
        expires_at=format_us(status.expires_us),
        notes=choice.notes,
    )


async def _existing(node: StorageNode) -> Head:
    head = await node.stat()
    if head is None:
        raise NotFoundError(f"There is no file {node.path!r} in the storage; upload it first.")
    return head


def _session(
    desk: Desk,
    tenant: Tenant,
    file: FileRecord,
    request: SessionCreate,
    choice: Choice,
) -> Session:
    asked = {Permission.VIEW, *request.permissions}
    options = request.options or SessionOptions()
    private = PrivateInfo(user=options.user_private_info, server=options.server_private_info)
    shown = msgspec.structs.replace(options, user_private_info=None, server_private_info=None)
    ttl_s = request.ttl_seconds or TTL_S_DEFAULT
    return Session(
        session_id=new_session_id(file.file_id),
        file_id=file.file_id,
        tenant_id=tenant.tenant_id,
        storage_name=file.storage_name,
        file_path=file.path,
        permissions=tuple(p for p in Permission if p in asked),
        account=request.account,
        user=request.user or "",
        user_id=request.user_id or "",
        editor=choice.editor,
        editor_notes=tuple(choice.notes),
        created_us=desk.clock.now_us(),
        ttl_ms=ttl_s * 1000,
        origin_connection_id=request.origin_connection_id,
        origin_page_id=request.origin_page_id,
        lang=request.lang,
        options=shown,
        private_info=seal_private_info(desk.ring, tenant.tenant_id, private),
    )
