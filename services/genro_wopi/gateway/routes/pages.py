"""The documentation of the API, and the script for applications that embed documents."""

import hashlib
import html
from functools import lru_cache
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
    body, tag = _openapi(service.version, service.public_url)
    headers = {"ETag": tag, "Cache-Control": "public, max-age=300"}
    if request.headers.get("if-none-match") == tag:
        return Response(b"", status_code=304, media_type=MediaType.JSON, headers=headers)
    return Response(body, media_type=MediaType.JSON, headers=headers)


@lru_cache(maxsize=1)
def _openapi(version: str, server_url: str) -> tuple[bytes, str]:
    """Build the document once: it takes a tenth of a second."""
    body = msgspec.json.encode(openapi_document(version=version, server_url=server_url))
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


@get("/docs")
async def docs(request: Request[Any, Any, State]) -> Response[str]:
    """Describe the API to people."""
    service: GatewayService = request.app.state["gateway"]
    return page(200, "API", _docs(service.version, service.public_url), {})


@lru_cache(maxsize=1)
def _docs(version: str, server_url: str) -> str:
    document = openapi_document(version=version, server_url=server_url)
    sections = [
        f"<section><code><b>{html.escape(method.upper())}</b> {html.escape(path)}</code>"
        f"<br>{html.escape(entry['summary'])} {html.escape(entry.get('description', ''))}</section>"
        for path, entries in document["paths"].items()
        for method, entry in entries.items()
    ]
    return (
        "<main><h1>genro-wopi: management API</h1><p>Send <code>Authorization: Bearer</code> with "
        "the admin token or a tenant's API key. Programs read "
        f'<a href="/openapi.json">openapi.json</a>.</p>{"".join(sections)}</main>'
    )


@get("/genro-wopi.js")
async def embedding_script() -> Response[bytes]:
    """Return the script for applications that show documents in their pages."""
    return script("genro-wopi.js")


PAGES = (openapi, docs, embedding_script)
