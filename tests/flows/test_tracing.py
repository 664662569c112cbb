"""One trace from an editor's request to the storage and to the application's callback."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.cluster import running_cluster
from tests.support.editor import EditorClient
from tests.support.waiting import until

pytestmark = [pytest.mark.flow, pytest.mark.check]

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@dataclass
class Collector:
    """Takes what services export, and what applications are called with."""

    url: str
    spans: list[tuple[str, str, str, str]] = field(default_factory=list[tuple[str, str, str, str]])
    """Service, name, trace and attributes."""
    callbacks: list[str] = field(default_factory=list[str])
    """The traceparent of each callback."""


@contextmanager
def running_collector() -> Generator[Collector]:
    collector = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                collector.spans.extend(_spans(body))
            else:
                collector.callbacks.append(self.headers.get("traceparent", ""))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()


def _spans(body: bytes) -> list[tuple[str, str, str, str]]:
    found: list[tuple[str, str, str, str]] = []
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        names = {a.key: a.value.string_value for a in resource.resource.attributes}
        for scope in resource.scope_spans:
            found += [
                (names["service.name"], s.name, s.trace_id.hex(), str(s.attributes))
                for s in scope.spans
            ]
    return found


def test_a_save_is_one_trace_to_the_storage_and_to_the_callback(tmp_path: Path) -> None:
    with running_collector() as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        with (
            running_cluster(tmp_path, "--no-demo", environment=environment) as cluster,
            cluster.admin() as admin,
        ):
            key = admin.post(
                "/api/tenants", json={"id": "t", "client_base_url": collector.url}
            ).json()["api_key"]
            admin.post(
                "/api/storages",
                json={
                    "tenant_id": "t",
                    "name": "docs",
                    "protocol": "local",
                    "config": {"base_path": str(cluster.data_dir / "files" / "t")},
                },
            )
            headers = {"Authorization": f"Bearer {key}", "traceparent": PARENT}
            with httpx.Client(base_url=cluster.url, headers=headers, timeout=20) as http:
                content = "/api/storages/docs/files/content"
                http.put(content, params={"path": "a.txt"}, content=b"a").raise_for_status()
                session = http.post(
                    "/api/sessions/create",
                    json={
                        "storage_name": "docs",
                        "file_path": "a.txt",
                        "permissions": ["view", "edit"],
                        "account": "sales",
                        "user": "Anna",
                    },
                ).json()
                editor = EditorClient(http, session)
                editor.override("LOCK", "L")
                assert editor.put(b"saved", "L").status_code == 200
            wanted = {
                ("gateway", "api sessions.create"),
                ("session-service", "session sessions.create"),
                ("wopi-service", "wopi put_file"),
                ("wopi-service", "storage write"),
                ("callback-worker", "callback"),
            }
            until(
                lambda: (
                    wanted <= {(s, name) for s, name, trace, _ in collector.spans if trace == TRACE}
                ),
                timeout_s=20,
            )
            until(lambda: any(TRACE in parent for parent in collector.callbacks))
            assert editor.token not in str(collector.spans)
            assert key not in str(collector.spans)
