"""The documentation of the API, and the script for applications that embed documents."""

import html
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.datastructures import State

from genro_wopi.gateway.routes.layout import page, script
from genro_wopi.gateway.routes.service import GatewayService
from genro_wopi.management.openapi import openapi_document


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
    return page(200, "API", body, {})


@get("/genro-wopi.js")
async def embedding_script() -> Response[bytes]:
    """Return the script for applications that show documents in their pages."""
    return script("genro-wopi.js")


PAGES = (openapi, docs, embedding_script)
