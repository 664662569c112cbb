"""Editors of the instance and of tenants."""

import asyncio
from typing import Any, Final

import msgspec
from msgspec import UNSET

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.editors import DISCOVERY_PATH, Editor, EditorState
from genro_wopi.domain.errors import ConflictError, NotFoundError
from genro_wopi.domain.identifiers import parse_slug, tenant_name
from genro_wopi.domain.revisions import require_revision, revise
from genro_wopi.domain.tenants import tenant_id_of
from genro_wopi.gateway.operations.office import Office
from genro_wopi.gateway.operations.paging import paged
from genro_wopi.management.editors import (
    AddressView,
    EditorDelete,
    EditorList,
    EditorListRequest,
    EditorPatch,
    EditorPut,
    EditorRef,
    EditorView,
)
from genro_wopi.management.operation import Nothing, Upserted
from genro_wopi.protocol.times import format_us

FETCHED_AT_ONCE: Final = 8


async def put_editor(office: Office, caller: Caller, request: EditorPut) -> Upserted[EditorView]:
    """Add an editor, or replace it; its discovery is fetched at once.

    Raises:
        InvalidFieldsError: the tenant has as many editors, or addresses of them, as it may.
        ConflictError: another request changed it just now.
    """
    scope = await _scope(office, caller, request.tenant_id)
    name = parse_slug("name", request.name)
    known = await office.editors.get_editor(scope, name)
    require_revision(known, request.if_revision)
    now_us = office.clock.now_us()
    editor = Editor(
        scope=scope,
        name=name,
        kind=request.kind,
        url=request.url.rstrip("/"),
        discovery_url=request.discovery_url or request.url.rstrip("/") + DISCOVERY_PATH,
        proof=request.proof,
        priority=request.priority,
        extensions=tuple(e.lower() for e in request.extensions),
        addresses=tuple(a.rstrip("/") for a in request.addresses),
        revision=known.revision + 1 if known else 1,
        created_us=known.created_us if known else now_us,
        updated_us=now_us,
    )
    await _check_addresses(office, editor)
    if not await office.editors.put_editor(editor, was=known.revision if known else 0):
        raise ConflictError("Another request changed this editor just now; look at it first.")
    await _fetch(office, editor)
    return Upserted(await _view(office, editor), created=known is None)


async def list_editors(office: Office, caller: Caller, request: EditorListRequest) -> EditorList:
    """List the tenant's editors; without a tenant those of the instance."""
    scope = await _scope(office, caller, request.tenant_id)
    found = await office.editors.list_editors(scope)
    items, cursor = paged(found, request)
    return EditorList(items=[await _view(office, e) for e in items], next_cursor=cursor)


async def update_editor(office: Office, caller: Caller, request: EditorPatch) -> EditorView:
    """Change an editor.

    Raises:
        PreconditionFailedError: it has another revision than the request names.
    """

    async def change(editor: Editor) -> Editor:
        changed = msgspec.structs.replace(
            editor,
            **_changes(editor, request),
            revision=editor.revision + 1,
            updated_us=office.clock.now_us(),
        )
        await _check_addresses(office, changed)
        return changed

    editor = await revise(
        lambda: _editor_of(office, caller, request.name, request.tenant_id),
        change,
        lambda changed, was: office.editors.put_editor(changed, was=was),
        if_revision=request.if_revision,
    )
    await _fetch(office, editor)
    return await _view(office, editor)


def _changes(editor: Editor, request: EditorPatch) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in ("kind", "url", "discovery_url", "proof", "priority"):
        value = getattr(request, name)
        if value is not UNSET:
            changes[name] = value
    if "url" in changes:
        changes["url"] = changes["url"].rstrip("/")
    if "url" in changes and "discovery_url" not in changes:
        changes["discovery_url"] = None
    if "discovery_url" in changes and changes["discovery_url"] is None:
        changes["discovery_url"] = changes.get("url", editor.url) + DISCOVERY_PATH
    if request.extensions is not UNSET:
        changes["extensions"] = tuple(e.lower() for e in request.extensions)
    if request.addresses is not UNSET:
        changes["addresses"] = tuple(a.rstrip("/") for a in request.addresses)
    return changes


async def delete_editor(office: Office, caller: Caller, request: EditorDelete) -> Nothing:
    """Remove an editor."""
    editor = await _editor_of(office, caller, request.name, request.tenant_id)
    require_revision(editor, request.if_revision)
    await office.editors.delete_editor(editor.scope, editor.name)
    return Nothing()


async def refresh_editor(office: Office, caller: Caller, request: EditorRef) -> EditorView:
    """Fetch an editor's discovery now."""
    editor = await _editor_of(office, caller, request.name, request.tenant_id)
    await _fetch(office, editor)
    return await _view(office, editor)


async def _fetch(office: Office, editor: Editor) -> None:
    """Fetch the discovery of each address, a few at once: slow ones hold up the answer."""
    waiting = iter(editor.pool)

    async def fetch() -> None:
        for address in waiting:
            await office.directory.fetch(address)

    await asyncio.gather(*(fetch() for _ in range(FETCHED_AT_ONCE)))


async def _check_addresses(office: Office, editor: Editor) -> None:
    for field in ("url", "discovery_url"):
        await office.editor_egress.check_url(getattr(editor, field), field=field)
    for address in editor.addresses:
        await office.editor_egress.check_url(address, field="addresses")


async def _scope(office: Office, caller: Caller, tenant_id: str | None) -> str:
    if caller.is_admin and tenant_id is None:
        return ""
    return await tenant_id_of(office.tenants, caller, tenant_id)


async def _editor_of(office: Office, caller: Caller, name: str, tenant_id: str | None) -> Editor:
    scope = await _scope(office, caller, tenant_id)
    editor = await office.editors.get_editor(scope, name)
    if editor is None:
        raise NotFoundError(f"There is no editor {name!r}.")
    return editor


async def _view(office: Office, editor: Editor) -> EditorView:
    states = [await office.editors.get_state(a.scope, a.state_name) for a in editor.pool]
    state = states[0]
    actions = state.discovery.actions if state else ()
    return EditorView(
        name=editor.name,
        tenant_id=tenant_name(editor.scope) or None,
        kind=editor.kind,
        url=editor.url,
        discovery_url=editor.discovery_url,
        proof=editor.proof,
        priority=editor.priority,
        extensions=list(editor.extensions),
        is_available=bool(actions),
        fetched_at=format_us(state.fetched_us) if state and state.fetched_us else None,
        file_types=sorted({a.ext for a in actions if a.ext}),
        proof_keys=len(state.seen_keys) if state else 0,
        last_error=state.last_error if state else None,
        revision=editor.revision,
        addresses=[_address(a.url, s) for a, s in zip(editor.pool, states, strict=True)],
    )


def _address(url: str, state: EditorState | None) -> AddressView:
    return AddressView(
        url=url,
        is_available=state is not None and bool(state.discovery.actions),
        fetched_at=format_us(state.fetched_us) if state and state.fetched_us else None,
        last_error=state.last_error if state else None,
    )
