"""Addresses of an editor with its own discovery and proof keys, as the host's operator sees them.

What it signs it signs as `deploy/dev_editor` does; what it publishes can be changed at any moment.
"""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from dev_editor.wopi_client import ProofKey
from tests.support.editor import EditorClient

TICKS_AT_1970 = 621_355_968_000_000_000


@dataclass
class SigningEditor:
    """One address."""

    key: ProofKey
    old_key: ProofKey
    url: str = ""
    document: bytes | None = None
    """Answered instead of the discovery."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    status: int = 200
    asked: int = 0

    def discovery(self) -> bytes:
        """Write what it publishes."""
        modulus, exponent = self.key.published()
        old_modulus, old_exponent = self.old_key.published()
        actions = "".join(
            f'<action name="edit" ext="{e}" urlsrc="{self.url}/edit?"/>' for e in ("txt", "md")
        )
        legacy = f'<action name="convert" ext="doc" urlsrc="{self.url}/convert?"/>'
        new = f'<action name="editnew" ext="txt" urlsrc="{self.url}/new?"/>'
        return (
            '<wopi-discovery><net-zone name="external-http"><app name="text">'
            f"{actions}{legacy}{new}</app></net-zone>"
            f'<proof-key modulus="{modulus}" exponent="{exponent}" oldmodulus="{old_modulus}"'
            f' oldexponent="{old_exponent}"/></wopi-discovery>'
        ).encode()

    def signed(
        self,
        client: EditorClient,
        *,
        key: ProofKey | None = None,
        old_key: ProofKey | None = None,
        age_s: float = 0.0,
        url: str | None = None,
    ) -> dict[str, str]:
        """Return the proof headers of a CheckFileInfo of a client, now or some time ago."""
        ticks = int((time.time() - age_s) * 10_000_000) + TICKS_AT_1970
        address = url or f"{client.session['wopi_src']}?access_token={client.token}"
        proof = (key or self.key).sign(client.token, address, ticks)
        old = (old_key or self.old_key).sign(client.token, address, ticks)
        return {"X-WOPI-Proof": proof, "X-WOPI-ProofOld": old, "X-WOPI-TimeStamp": str(ticks)}


@contextmanager
def signing_editor(folder: Path, name: str = "editor") -> Generator[SigningEditor]:
    """Serve an address until the block ends."""
    editor = SigningEditor(ProofKey(folder / f"{name}.pem"), ProofKey(folder / f"{name}-old.pem"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            editor.asked += 1
            is_discovery = urlsplit(self.path).path == "/hosting/discovery"
            body = editor.discovery() if editor.document is None else editor.document
            self.send_response(editor.status if is_discovery else 404)
            self.send_header("Content-Length", str(len(body)))
            for header, value in editor.headers.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    editor.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield editor
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
