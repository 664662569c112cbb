"""What all pages of the gateway look like."""

import html
import json
from importlib.resources import files as package_files
from urllib.parse import urlsplit

from litestar import MediaType, Response

from genro_wopi.domain.errors import RETRY_AFTER_S

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; } iframe { position: fixed; inset: 0; width: 100%; height: 100%; border: 0; }
main { max-width: 46rem; margin: 12vh auto 0; padding: 1.5rem; }
#notice { position: relative; background: Canvas; } main[hidden] { display: none; }
#ended { position: fixed; inset: auto 0 0; padding: .6rem 1rem; background: #7a2e00; color: #fff; }
#ended[hidden] { display: none; }
button { font: inherit; padding: .3rem .9rem; } h1 { font-size: 1.35rem; }
code { font-size: .92em; } section { margin: 1.2rem 0; }
"""


def page(status: int, title: str, body: str, headers: dict[str, str]) -> Response[str]:
    """Build a page around a body."""
    document = (
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
        document, status_code=status, media_type=MediaType.HTML, headers={**common, **headers}
    )


def message(status: int, title: str, text: str) -> Response[str]:
    """Build a page that says one thing."""
    body = f"<main><h1>{html.escape(title)}</h1><p>{html.escape(text)}</p></main>"
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"
    headers = {"Content-Security-Policy": policy}
    if status == 503:  # noqa: PLR2004 - Service Unavailable
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return page(status, title, body, headers)


def script(name: str) -> Response[bytes]:
    """Return one of the scripts that this package carries."""
    content = package_files("genro_wopi.gateway").joinpath("static", name).read_bytes()
    headers = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type="text/javascript", headers=headers)


def in_script(data: object) -> str:
    """Write JSON so that nothing in it can end the element that it lies in."""
    return json.dumps(data).replace("<", "\\u003c")


def origin_of(url: str) -> str:
    """Return scheme and host of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
