"""The editor's addresses: discovery for the host, a page for the person, calls of that page."""

import asyncio
import html
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.static_files import (
    create_static_files_router,  # pyright: ignore[reportUnknownVariableType] - untyped parameters
)

from dev_editor.readable_text import EDITABLE, READABLE
from dev_editor.views import Outcome, View, ViewError
from dev_editor.wopi_client import TIMEOUT_S, ProofKey, WopiClient

STATIC: Final = Path(__file__).parent / "static"
SWEEP_S: Final = 15.0

EditorRequest = Request[None, None, State]


class OpenView(msgspec.Struct, frozen=True):
    """What a page sends to open its document."""

    wopi_src: str
    access_token: str
    lock: str = ""
    base: str = ""


class SaveView(msgspec.Struct, frozen=True):
    """What a page sends to save."""

    text: str
    autosave: bool = False
    exit_save: bool = False
    force: bool = False


class Editor:
    """All open views."""

    def __init__(self, public_url: str, key: ProofKey) -> None:
        self.public_url = public_url
        self.key = key
        self.http = httpx.AsyncClient(timeout=TIMEOUT_S)
        self.views: dict[str, View] = {}

    async def open(self, request: OpenView) -> View:
        """Open a document."""
        client = WopiClient(self.http, self.key, request.wopi_src, request.access_token)
        view = View(client, request.lock)
        await view.open(request.base)
        self.views[view.view_id] = view
        return view

    async def sweep(self) -> None:
        """Refresh locks; close views whose page is gone."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for view in list(self.views.values()):
                try:
                    if view.is_idle:
                        self.views.pop(view.view_id, None)
                        await view.close()
                    else:
                        await view.refresh_lock()
                except ViewError:
                    continue


def _editor(request: EditorRequest) -> Editor:
    editor: Editor = request.app.state["editor"]
    return editor


@get("/editor/hosting/discovery")
async def discovery(request: EditorRequest) -> Response[str]:
    """Say what this editor opens, where, and with which key it signs."""
    editor = _editor(request)
    modulus, exponent = editor.key.published()
    urlsrc = html.escape(f"{editor.public_url}/editor/edit?")
    actions = [("edit", ext) for ext in EDITABLE] + [("view", ext) for ext in READABLE]
    elements = "".join(f'<action name="{n}" ext="{e}" urlsrc="{urlsrc}"/>' for n, e in actions)
    document = (
        '<?xml version="1.0" encoding="utf-8"?><wopi-discovery><net-zone name="external-http">'
        f'<app name="text">{elements}</app></net-zone>'
        f'<proof-key modulus="{modulus}" exponent="{exponent}" '
        f'oldmodulus="{modulus}" oldexponent="{exponent}"/></wopi-discovery>'
    )
    return Response(document, media_type="application/xml")


@post("/editor/edit", status_code=200)
async def edit_page(request: EditorRequest) -> Response[str]:
    """Show the page; the form that the host's launch page posts carries the token."""
    form = await request.form()
    start = {
        "wopiSrc": request.query_params.get("WOPISrc", ""),
        "accessToken": str(form.get("access_token", "")),
    }
    data = json.dumps(start).replace("<", "\\u003c")
    page = (STATIC / "editor.html").read_text("utf-8").replace("{{start}}", data)
    policy = (
        "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self'; "
        "connect-src 'self'; base-uri 'none'"
    )
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return Response(page, media_type=MediaType.HTML, headers=headers)


@post("/editor/views", status_code=200)
async def open_view(request: EditorRequest) -> Response[bytes]:
    """Open a document for a page."""
    start = msgspec.json.decode(await request.body(), type=OpenView)
    try:
        view = await _editor(request).open(start)
    except ViewError as error:
        return _json(502, {"message": str(error)})
    return _json(200, _shown(view))


@post("/editor/views/{view_id:str}/save", status_code=200)
async def save_view(request: EditorRequest, view_id: str) -> Response[bytes]:
    """Save what a page sends."""
    view = _editor(request).views.get(view_id)
    if view is None:
        return _json(404, {"message": "The editor was restarted."})
    view.seen()
    save = msgspec.json.decode(await request.body(), type=SaveView)
    outcome: Outcome = await view.save(
        save.text, autosave=save.autosave, exit_save=save.exit_save, force=save.force
    )
    return _json(200, msgspec.to_builtins(outcome))


@post("/editor/views/{view_id:str}/{action:str}", status_code=200)
async def act_on_view(request: EditorRequest, view_id: str, action: str) -> Response[bytes]:
    """Heartbeat, reload, a new token, close."""
    editor = _editor(request)
    view = editor.views.get(view_id)
    if view is None:
        return _json(404, {"message": "The editor was restarted."})
    view.seen()
    try:
        if action == "reload":
            await view.reload()
        elif action == "token":
            view.client.token = str((await request.json())["access_token"])
        elif action == "close":
            editor.views.pop(view_id, None)
            await view.close()
    except ViewError as error:
        return _json(502, {"message": str(error)})
    return _json(200, _shown(view))


def _shown(view: View) -> dict[str, Any]:
    return {
        "viewId": view.view_id,
        "name": view.name,
        "text": view.text,
        "canWrite": view.can_write,
        "reason": view.reason,
        "lock": view.lock,
        "base": view.last_modified,
        "origin": view.origin,
    }


def _json(status: int, content: object) -> Response[bytes]:
    return Response(msgspec.json.encode(content), status_code=status, media_type=MediaType.JSON)


def create_app() -> Litestar:
    """Build the editor from its environment."""
    data_dir = Path(os.environ["DEMO_DATA_DIR"])
    editor = Editor(os.environ["WOPI_PUBLIC_URL"], ProofKey(data_dir / "dev-editor-key.pem"))

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncGenerator[None]:
        async with editor.http, asyncio.TaskGroup() as tasks:
            sweeping = tasks.create_task(editor.sweep())
            yield
            sweeping.cancel()

    static = create_static_files_router(path="/editor/static", directories=[STATIC])
    return Litestar(
        route_handlers=[discovery, edit_page, open_view, save_view, act_on_view, static],
        state=State({"editor": editor}),
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
    )
