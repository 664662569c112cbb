"""The proxies of docs/collabora.md, run: a document stays with its server, the rest takes turns."""

import base64
import hashlib
import re
import subprocess
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.support import tools
from tests.support.servers import free_port, wait_for_port

pytestmark = pytest.mark.check

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "collabora.md"
SERVERS = 3
WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def snippet(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@contextmanager
def editor_server(number: int) -> Generator[int]:
    """Serve what says which server it is, and takes an upgrade as a WebSocket would."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.headers.get("Upgrade") == "websocket":
                self.send_response(101)
                self.send_header("Upgrade", "websocket")
                self.send_header("Connection", "Upgrade")
                key = self.headers["Sec-WebSocket-Key"] + WEBSOCKET_GUID
                accepted = base64.b64encode(hashlib.sha1(key.encode()).digest())  # noqa: S324 - RFC 6455
                self.send_header("Sec-WebSocket-Accept", accepted.decode())
                self.end_headers()
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("X-Server", str(number))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def addressed(text: str, ports: list[int], own: int) -> str:
    for number, port in enumerate(ports, start=1):
        text = text.replace(f"collabora-{number}:9980", f"127.0.0.1:{port}")
    return text.replace("listen 80", f"listen 127.0.0.1:{own}").replace(
        "bind :80", f"bind 127.0.0.1:{own}"
    )


def nginx_command(folder: Path, text: str) -> list[str]:
    places = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi")
    )
    body = f"access_log off; client_body_temp_path {folder}/body;\n{places}\n{text}"
    head = f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}"
    (folder / "nginx.conf").write_text(f"{head}\nhttp {{\n{body}\n}}\n")
    return [tools.needed("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]


def haproxy_command(folder: Path, text: str) -> list[str]:
    (folder / "haproxy.cfg").write_text(text)
    return [tools.needed("HAProxy"), "-db", "-f", str(folder / "haproxy.cfg")]


@pytest.fixture(params=["nginx", "haproxy"])
def proxy(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    with ExitStack() as stack:
        ports = [stack.enter_context(editor_server(n)) for n in range(SERVERS)]
        own = free_port()
        text = addressed(snippet(request.param), ports, own)
        make = {"nginx": nginx_command, "haproxy": haproxy_command}[request.param]
        process = subprocess.Popen(make(tmp_path, text))
        try:
            wait_for_port(own)
            yield f"http://127.0.0.1:{own}"
        finally:
            process.terminate()
            process.wait()


def test_all_requests_of_a_document_come_to_one_server(proxy: str) -> None:
    homes: dict[str, str] = {}
    with httpx.Client(base_url=proxy) as http:
        for number in range(40):
            source = quote(f"https://wopi.example.org/wopi/files/{number:032x}", safe="")
            found = {
                http.get(path).headers["X-Server"]
                for path in (
                    f"/browser/dist/cool.html?WOPISrc={source}&lang=it",
                    f"/cool/{source}/ws?WOPISrc={source}&compat=/ws",
                    f"/cool/clipboard?WOPISrc={source}&ServerId=a",
                )
            }
            assert len(found) == 1
            homes[source] = found.pop()
    assert set(homes.values()) == {str(n) for n in range(SERVERS)}


def test_what_belongs_to_no_document_takes_turns(proxy: str) -> None:
    with httpx.Client(base_url=proxy) as http:
        found = [http.get("/hosting/discovery").headers["X-Server"] for _ in range(3 * SERVERS)]
    assert set(found) == {str(n) for n in range(SERVERS)}


def test_websockets_pass(proxy: str) -> None:
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
    }
    answer = httpx.get(f"{proxy}/cool/x/ws?WOPISrc=x", headers=headers)
    assert answer.status_code == 101
