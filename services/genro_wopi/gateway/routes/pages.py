"""Pages that people see: the launch page, and the documentation of the API."""

import html
import json
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.datastructures import State

from genro_wopi.domain.errors import HostError, NotFoundError
from genro_wopi.gateway.routes.service import GatewayService
from genro_wopi.management.openapi import openapi_document
from genro_wopi.web.errors import status_of

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; } iframe { position: fixed; inset: 0; width: 100%; height: 100%; border: 0; }
main { max-width: 46rem; margin: 12vh auto 0; padding: 0 1.5rem; }
h1 { font-size: 1.35rem; } code { font-size: .92em; } section { margin: 1.2rem 0; }
"""

_SUBMIT = "document.getElementById('launch').submit();"


class LaunchData(msgspec.Struct, frozen=True, kw_only=True):
    """What the session-service says about a launch."""

    file_name: str
    access_token: str
    access_token_ttl: int
    editor_url: str | None
    editor_name: str | None
    ui_defaults: str | None
    theme: str | None
    frame_ancestors: list[str]
    can_edit: bool


@get("/open/{code:str}")
async def open_document(request: Request[Any, Any, State], code: str) -> Response[str]:
    """Show the editor: a form POSTs the token into a frame, so that it never is in an address."""
    service: GatewayService = request.app.state["gateway"]
    try:
        answer = await service.sessions.launch(code)
        if answer.status == 404:  # noqa: PLR2004 - the link has expired
            raise NotFoundError(json.loads(answer.body)["detail"])
        if answer.status != 200:  # noqa: PLR2004 - OK
            return _message(503, "The document cannot be opened right now.", "Try again shortly.")
        launch = msgspec.json.decode(answer.body, type=LaunchData)
    except HostError as error:
        return _message(status_of(error), "The document cannot be opened.", str(error))
    if launch.editor_url is None:
        who = f"The editor {launch.editor_name} does" if launch.editor_name else "No editor does"
        what = "not answer now" if launch.editor_name else "not open this type of file"
        return _message(503, f"{launch.file_name} cannot be opened.", f"{who} {what}.")
    return _frame(launch, launch.editor_url)


@get("/openapi.json")
async def openapi(request: Request[Any, Any, State]) -> Response[bytes]:
    """Describe the API to programs."""
    service: GatewayService = request.app.state["gateway"]
    document = openapi_document(version=service.version, server_url=service.public_url)
    return Response(msgspec.json.encode(document), media_type=MediaType.JSON)


@get("/docs")
async def docs(request: Request[Any, Any, State]) -> Response[str]:
    """Describe the API to people."""
    service: GatewayService = request.app.state["gateway"]
    document = openapi_document(version=service.version, server_url=service.public_url)
    sections = [
        f"<section><code><b>{html.escape(method.upper())}</b> {html.escape(path)}</code>"
        f"<br>{html.escape(entry['summary'])} {html.escape(entry.get('description', ''))}</section>"
        for path, entries in document["paths"].items()
        for method, entry in entries.items()
    ]
    body = (
        "<main><h1>genro-wopi: management API</h1><p>Send <code>Authorization: Bearer</code> with "
        "the admin token or a tenant's API key. Programs read "
        f'<a href="/openapi.json">openapi.json</a>.</p>{"".join(sections)}</main>'
    )
    return _page(200, "API", body, {})


PAGES = (open_document, openapi, docs)


def _frame(launch: LaunchData, editor_url: str) -> Response[str]:
    fields = {
        "access_token": launch.access_token,
        "access_token_ttl": str(launch.access_token_ttl),
        "ui_defaults": launch.ui_defaults or "",
        "theme": launch.theme or "",
    }
    inputs = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
        for name, value in fields.items()
        if value
    )
    title = html.escape(launch.file_name)
    body = (
        f'<form id="launch" action="{html.escape(editor_url)}" method="post" target="editor">'
        f"{inputs}</form>"
        f'<iframe name="editor" title="{title}" '
        'allow="clipboard-read *; clipboard-write *; fullscreen"></iframe>'
        f"<script>{_relay_script(editor_url)}{_SUBMIT}</script>"
    )
    parts = urlsplit(editor_url)
    origin = f"{parts.scheme}://{parts.netloc}"
    ancestors = " ".join(["'self'", *launch.frame_ancestors])
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        f"frame-src {origin}; form-action {origin}; frame-ancestors {ancestors}; base-uri 'none'"
    )
    return _page(200, launch.file_name, body, {"Content-Security-Policy": policy})


def _relay_script(editor_url: str) -> str:
    """Tell the editor that the page listens; pass its messages up to the application."""
    parts = urlsplit(editor_url)
    origin = json.dumps(f"{parts.scheme}://{parts.netloc}").replace("<", "\\u003c")
    return (
        f"const editorOrigin = {origin};"
        "const frame = document.getElementsByName('editor')[0];"
        "addEventListener('message', (event) => {"
        "  if (event.origin !== editorOrigin || event.source !== frame.contentWindow) return;"
        "  let message; try { message = JSON.parse(event.data); } catch { return; }"
        "  if (message.MessageId === 'App_LoadingStatus')"
        "    frame.contentWindow.postMessage(JSON.stringify({MessageId: 'Host_PostmessageReady',"
        "      SendTime: Date.now(), Values: {}}), editorOrigin);"
        "  if (parent !== window && document.referrer)"
        "    parent.postMessage(event.data, new URL(document.referrer).origin);"
        "});"
    )


def _message(status: int, title: str, text: str) -> Response[str]:
    body = f"<main><h1>{html.escape(title)}</h1><p>{html.escape(text)}</p></main>"
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"
    return _page(status, title, body, {"Content-Security-Policy": policy})


def _page(status: int, title: str, body: str, headers: dict[str, str]) -> Response[str]:
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )
    common = {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(
        page, status_code=status, media_type=MediaType.HTML, headers={**common, **headers}
    )
