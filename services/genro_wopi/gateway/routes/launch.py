"""The launch page: hands the token to the editor, and gives it a new one before it ends."""

import html
import json
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import State

from genro_wopi.adapters.http.fetch import Answer
from genro_wopi.domain.errors import HostError
from genro_wopi.gateway.routes.launch_cookie import LaunchCookie
from genro_wopi.gateway.routes.layout import in_script, message, page, script
from genro_wopi.gateway.routes.service import GatewayService
from genro_wopi.management.launches import Launch, LaunchRequest
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.protocol.editor_url import ttl_for_editor
from genro_wopi.protocol.web_address import is_origin, origin_of
from genro_wopi.web.errors import problem_answer, status_of


@get("/open/{code:str}")
async def open_document(request: Request[Any, Any, State], code: str) -> Response[str]:
    """Show the editor: a form POSTs the token into a frame, so that it never is in an address."""
    service: GatewayService = request.app.state["gateway"]
    cookie = LaunchCookie(service.public_url, code, request.cookies)
    asked = LaunchRequest(code=code, shown=cookie.shown, given=cookie.given)
    try:
        answer = await service.sessions.launch(asked)
    except HostError as error:
        shown = message(status_of(error), "The document cannot be opened.", str(error))
    else:
        if answer.status in {403, 404}:  # it is another browser's, or has expired
            why = str(json.loads(answer.body)["detail"])
            return message(answer.status, "The document cannot be opened.", why)
        shown = _opened(service, answer)
    # Also where nothing is shown yet: this browser may be the one that the page is bound to.
    shown.cookies += cookie.changes()
    return shown


def _opened(service: GatewayService, answer: Answer) -> Response[str]:
    if answer.status != 200:  # noqa: PLR2004 - OK
        return message(503, "The document cannot be opened right now.", "Try again shortly.")
    launch = msgspec.json.decode(answer.body, type=Launch)
    if launch.editor_url is None:
        why = "No editor that is configured here opens this type of file."
        if launch.editor_name:
            why = f"The editor {launch.editor_name} does not answer now. Try again in a minute."
        return message(503, f"{launch.file_name} cannot be opened.", why)
    origin = origin_of(launch.editor_url)
    if origin is None:
        why = f"The editor {launch.editor_name} has an address that no browser may be sent to."
        return message(503, f"{launch.file_name} cannot be opened.", why)
    return _frame(launch, launch.editor_url, origin, service.public_url)


@post("/open/renew", status_code=200)
async def renew_token(request: Request[Any, Any, State]) -> Response[bytes]:
    """Give an open page a new token for the one that it shows: `Authorization: Bearer`."""
    service: GatewayService = request.app.state["gateway"]
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    try:
        answer = await service.sessions.renew_token(token)
    except HostError as error:
        problem = problem_answer(error)
        answer = Answer(problem.status, dict(problem.headers), problem.body)
    return Response(
        answer.body,
        status_code=answer.status,
        media_type=MediaType.JSON,
        headers={"Cache-Control": "no-store"},
    )


@get("/static/launch.js")
async def launch_script() -> Response[bytes]:
    """Return the launch page's script."""
    return script("launch.js")


def _frame(launch: Launch, editor_url: str, origin: str, public_url: str) -> Response[str]:
    fields = {
        "access_token": launch.access_token,
        "access_token_ttl": str(ttl_for_editor(launch.kind, launch.access_token_ttl)),
        "ui_defaults": launch.ui_defaults or "",
        "theme": launch.theme or "",
    }
    inputs = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
        for name, value in fields.items()
        if value
    )
    own = origin_of(public_url) or public_url
    framing = [a for a in launch.frame_ancestors if is_origin(a)]
    data = {
        "editorOrigin": origin,
        "parentOrigins": [own, *framing],
        "renewAt": f"{public_url}/open/renew",
        "takesNewToken": launch.kind is EditorKind.COLLABORA,
        "fileName": launch.file_name,
        "idleMs": launch.idle_ms,
        "endsAt": launch.access_token_ttl,
    }
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
        '<div id="ended" role="alert" hidden>This session has ended: save a copy of what you typed '
        "last, then open the document again.</div>"
        f'<script type="application/json" id="launch-data">{in_script(data)}</script>'
        f'<script src="{html.escape(public_url)}/static/launch.js"></script>'
    )
    ancestors = " ".join(["'self'", *framing])
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src {own}; connect-src {own}; "
        f"frame-src {origin}; form-action {origin}; frame-ancestors {ancestors}; base-uri 'none'"
    )
    return page(200, launch.file_name, body, {"Content-Security-Policy": policy})


LAUNCH_ROUTES = (open_document, renew_token, launch_script)
