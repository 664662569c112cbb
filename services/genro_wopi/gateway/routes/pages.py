"""Pages that people see: the launch page, and the documentation of the API."""

import html
import json
from importlib.resources import files as package_files
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
main { max-width: 46rem; margin: 12vh auto 0; padding: 1.5rem; }
#notice { position: relative; background: Canvas; } main[hidden] { display: none; }
button { font: inherit; padding: .3rem .9rem; } h1 { font-size: 1.35rem; }
code { font-size: .92em; } section { margin: 1.2rem 0; }
"""


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
    return _frame(launch, launch.editor_url, service.public_url)


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


@get("/genro-wopi.js")
async def embedding_script() -> Response[bytes]:
    """Return the script for applications that show documents in their pages."""
    return _script("genro-wopi.js")


@get("/static/launch.js")
async def launch_script() -> Response[bytes]:
    """Return the launch page's script."""
    return _script("launch.js")


PAGES = (open_document, openapi, docs, embedding_script, launch_script)


def _frame(launch: LaunchData, editor_url: str, public_url: str) -> Response[str]:
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
    origin = _origin(editor_url)
    own = _origin(public_url)
    data = {"editorOrigin": origin, "parentOrigins": [own, *launch.frame_ancestors]}
    title = html.escape(launch.file_name)
    body = (
        f'<form id="launch" action="{html.escape(editor_url)}" method="post" target="editor">'
        f"{inputs}</form>"
        f'<iframe name="editor" title="{title}" '
        'allow="clipboard-read *; clipboard-write *; fullscreen"></iframe>'
        f'<main id="notice" role="status" hidden><h1>{title} does not appear.</h1>'
        '<p>The editor at <b id="who"></b> has not answered. It may be starting or out of order, '
        "or this browser or its network does not let it be shown here.</p>"
        '<p><button id="again">Try again</button></p></main>'
        f'<script type="application/json" id="launch-data">{_in_script(data)}</script>'
        f'<script src="{html.escape(public_url)}/static/launch.js"></script>'
    )
    ancestors = " ".join(["'self'", *launch.frame_ancestors])
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src {own}; "
        f"frame-src {origin}; form-action {origin}; frame-ancestors {ancestors}; base-uri 'none'"
    )
    return _page(200, launch.file_name, body, {"Content-Security-Policy": policy})


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _in_script(data: object) -> str:
    """Write JSON so that nothing in it can end the element that it lies in."""
    return json.dumps(data).replace("<", "\\u003c")


def _script(name: str) -> Response[bytes]:
    content = package_files("genro_wopi.gateway").joinpath("static", name).read_bytes()
    headers = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type="text/javascript", headers=headers)


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
