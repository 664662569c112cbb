"""Which editor a session gets, and the address that starts it."""

import mimetypes
from urllib.parse import urlsplit

import msgspec

from genro_wopi.domain.editors import Editor, ProofPolicy
from genro_wopi.domain.errors import FieldError, InvalidFieldsError
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.paths import extension_of
from genro_wopi.domain.sessions import EditorRef, Session, editor_digest
from genro_wopi.domain.tenants import Tenant, WopiMode
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.protocol.discovery import Action
from genro_wopi.protocol.editor_url import build_editor_url, choose_action
from genro_wopi.session_service.operations.desk import Desk


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Where a session's editor starts."""

    url: str | None = None
    """None where it cannot be made now."""
    server: str = ""
    """Which server of the editor that is; see `editor_digest`."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The editor of a session."""

    editor: EditorRef | None
    notes: list[str]


async def choose_editor(
    desk: Desk,
    tenant: Tenant,
    file: FileRecord,
    *,
    named: str | None,
    wants_edit: bool,
    is_empty: bool,
) -> Choice:
    """Choose by priority the first editor that opens this type of file.

    An editor that cannot be reached is only chosen where no other opens the file: the launch page
    tries again.
    """
    candidates = await _candidates(desk, tenant, named)
    path, extension = file.path, extension_of(file.path)
    notes: list[str] = []
    unreachable: Editor | None = None
    for editor in candidates:
        if editor.extensions and extension not in editor.extensions:
            notes.append(f"{editor.name}: not configured for .{extension}")
            continue
        answering = await desk.editors.answering(editor, file.file_id)
        if answering is None:
            notes.append(f"{editor.name}: its discovery cannot be read")
            unreachable = unreachable or editor
            continue
        address, state = answering
        actions = state.discovery.actions
        if _action(actions, path, wants_edit=wants_edit, is_empty=is_empty):
            where = f" at {address.url}" if editor.addresses else ""
            late = f"; it did not answer lately: {state.last_error}" if state.last_error else ""
            chosen = f"{editor.name}: chosen{where}{late}"
            return Choice(editor=_ref(editor), notes=[*notes, chosen])
        notes.append(f"{editor.name}: does not open .{extension}")
    if not candidates:
        notes.append("No editor is configured; add one with POST /api/editors.")
    return Choice(editor=_ref(unreachable) if unreachable else None, notes=notes)


async def require_editor(desk: Desk, tenant: Tenant, named: str) -> None:
    """Make sure that an editor exists for a tenant.

    Raises:
        InvalidFieldsError: it does not.
    """
    if not await _candidates(desk, tenant, named):
        raise InvalidFieldsError((FieldError("editor", f"there is no editor {named!r}"),))


async def _candidates(desk: Desk, tenant: Tenant, named: str | None) -> list[Editor]:
    scopes = {WopiMode.POOL: (tenant.tenant_id, ""), WopiMode.OWN: (tenant.tenant_id,)}
    candidates = await desk.editors.candidates(scopes.get(tenant.wopi_mode, ()))
    return [e for e in candidates if named is None or e.name == named]


async def editor_start(desk: Desk, session: Session, *, is_empty: bool) -> Start:
    """Return the address that starts the session's editor, and the server that it goes to."""
    if session.editor is None:
        return Start()
    editor = await desk.editors.editor(session.editor)
    answering = await desk.editors.answering(editor, session.file_id) if editor else None
    if answering is None:
        return Start(server=editor_digest(session.editor, ""))
    editor, state = answering
    server = editor_digest(session.editor, editor.url if editor.addresses else "")
    actions = state.discovery.actions
    action = _action(actions, session.file_path, wants_edit=session.can_edit, is_empty=is_empty)
    if action is None:
        return Start(server=server)
    lang = session.lang or ""
    placeholders = {
        "UI_LLCC": lang,
        "DC_LLCC": lang,
        "THEME_ID": session.options.theme or "",
        "HOST_SESSION_ID": session.session_id,
    }
    url = build_editor_url(
        _browser_address(action.urlsrc, editor), desk.wopi_src(session.file_id), placeholders
    )
    if editor.kind is EditorKind.COLLABORA and lang:
        url += f"&lang={lang}"
    return Start(url=url, server=server)


def _action(
    actions: tuple[Action, ...], path: str, *, wants_edit: bool, is_empty: bool
) -> Action | None:
    return choose_action(
        actions,
        extension=extension_of(path),
        mime_type=mimetypes.guess_type(path)[0] or "",
        wants_edit=wants_edit,
        is_empty=is_empty,
    )


def _browser_address(urlsrc: str, editor: Editor) -> str:
    """Replace the internal address that discovery was read from: browsers need the public one."""
    inside, outside = urlsplit(editor.discovery_url), urlsplit(editor.url)
    prefix = f"{inside.scheme}://{inside.netloc}/"
    if inside.netloc != outside.netloc and urlsrc.startswith(prefix):
        return f"{outside.scheme}://{outside.netloc}/{urlsrc.removeprefix(prefix)}"
    return urlsrc


def _ref(editor: Editor) -> EditorRef:
    is_unsigned = editor.proof is ProofPolicy.OFF
    return EditorRef(editor.scope, editor.name, editor.kind, is_unsigned)
