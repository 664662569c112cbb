"""The doctor: what is wrong is named with its remedy, what is well is not."""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest

from genro_wopi.adapters.http.prober import HttpProber
from genro_wopi.adapters.redis.client import RedisClient, connect
from genro_wopi.adapters.redis.event_log import RedisEventLog
from genro_wopi.domain.callers import Caller
from genro_wopi.domain.doctor import Finding, Level
from genro_wopi.domain.editors import Editor, ProofPolicy
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.gateway.app import build_service
from genro_wopi.gateway.operations.doctor.case import WHY, Case
from genro_wopi.gateway.operations.doctor.editor_checks import examine_editors, refuses_frames
from genro_wopi.gateway.operations.doctor.examine import run_doctor
from genro_wopi.gateway.operations.doctor.host_checks import examine_host
from genro_wopi.gateway.operations.doctor.tenant_checks import examine_tenant
from genro_wopi.gateway.operations.office import Office
from genro_wopi.management.doctor import DoctorRequest
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.runtime.setting_loading import load_settings
from genro_wopi.runtime.settings import Service
from genro_wopi.web.server import Readiness
from tests.adapters.test_egress import own_authority
from tests.flows.conftest import Tenant
from tests.support.cluster import ADMIN_TOKEN, Cluster
from tests.support.raw_http import Asked, Told, answering, read_request, serving
from tests.support.world import partitions

pytestmark = pytest.mark.flow

NOWHERE = "http://127.0.0.1:9"
SCOPE = "doctored"


class Doctor:
    """The doctor of a gateway that is set up like the cluster's, or not quite."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        url = (self._cluster.data_dir / "redis-url").read_text()
        self.redis: RedisClient = await self._stack.enter_async_context(connect(url))
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.redis.call("DEL", f"wopi:{{e:{SCOPE}}}:editors")
        await self._stack.aclose()

    def office(self, **settings: str) -> Office:
        keys = json.loads((self._cluster.data_dir / "keys.json").read_text())
        own = {
            "WOPI_REDIS_URL": (self._cluster.data_dir / "redis-url").read_text(),
            "WOPI_PUBLIC_URL": self._cluster.url,
            "WOPI_ADMIN_TOKEN": ADMIN_TOKEN,
            "WOPI_INTERNAL_TOKEN": keys["internal_token"],
            "WOPI_ENCRYPTION_KEYS": keys["encryption_keys"],
            "WOPI_SESSION_SERVICE_URL": NOWHERE,
            "WOPI_LOCAL_ROOTS": str(self._cluster.data_dir / "files"),
            "WOPI_SPOOL_DIR": str(self._cluster.data_dir / "spool"),
            "WOPI_EDITOR_ALLOW": "loopback",
            "WOPI_CALLBACK_ALLOW": "loopback",
        }
        loaded = load_settings(own | settings, Service.GATEWAY)
        return build_service(loaded, self.redis, Readiness(), self._stack).office

    async def host(self, **settings: str) -> dict[str, Finding]:
        case = Case()
        await examine_host(case, self.office(**settings))
        return found(case)

    async def editor(self, change: dict[str, Any], **settings: str) -> dict[str, Finding]:
        office, case = self.office(**settings), Case()
        plain: dict[str, Any] = {
            "scope": SCOPE,
            "name": "office",
            "kind": EditorKind.COLLABORA,
            "url": NOWHERE,
            "discovery_url": f"{NOWHERE}/hosting/discovery",
            "proof": ProofPolicy.IF_PUBLISHED,
            "priority": 1,
            "extensions": (),
            "revision": 1,
            "created_us": 1,
            "updated_us": 1,
        }
        if "url" in change:
            plain["discovery_url"] = f"{change['url']}/hosting/discovery"
        await office.editors.put_editor(Editor(**plain | change))
        await examine_editors(case, office, (SCOPE,), None)
        return found(case)

    async def tenant(self, tenant_id: str, **settings: str) -> dict[str, Finding]:
        office, case = self.office(**settings), Case()
        tenant = await office.tenants.get_tenant(TenantId(tenant_id))
        assert tenant is not None
        await examine_tenant(case, office, tenant)
        return found(case)


def found(case: Case) -> dict[str, Finding]:
    return {f.check: f for f in case.findings if f.level is not Level.NOTE}


@pytest.fixture
async def doctor(cluster: Cluster) -> AsyncGenerator[Doctor]:
    async with Doctor(cluster) as one:
        yield one


# A healthy cluster


def test_a_healthy_cluster_has_nothing(cluster: Cluster, make_tenant: Callable[[], Tenant]) -> None:
    tenant = make_tenant()
    with cluster.admin() as admin:
        whole = admin.post("/api/doctor", json={}).json()
        own = tenant.http.post("/api/doctor", json={}).json()
    checks = {f["check"] for f in whole["items"] if not f["subject"] and f["level"] != "note"}
    assert checks <= {"editors.some"}, whole
    assert own["is_healthy"], own
    assert whole["checks"] > own["checks"] >= 10
    assert "127\\.0\\.0\\.1" in whole["collabora_allow"]


def test_the_doctor_knows_at_least_25_checks() -> None:
    assert len(WHY) >= 25


def test_a_tenant_learns_nothing_of_others(
    cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    one, other = make_tenant(), make_tenant()
    seen = one.http.post("/api/doctor", json={})
    assert other.tenant_id not in seen.text
    assert "redis" not in seen.text
    named = one.http.post("/api/doctor", json={"tenant_id": other.tenant_id})
    assert named.status_code == 404
    with cluster.admin() as admin:
        assert admin.post("/api/doctor", json={"editor": "nobody"}).status_code == 404


# The host's own addresses


async def test_what_does_not_run_is_named(doctor: Doctor, cluster: Cluster) -> None:
    assert "host.session-service" in await doctor.host()
    with cluster.admin() as admin:
        admin.post("/api/instance/suspend", json={"reason": "Back at noon."})
        try:
            suspended = (await doctor.host())["host.suspended"]
        finally:
            admin.post("/api/instance/activate")
    assert "Back at noon." in suspended.what
    assert suspended.remedy == "genro-wopi instance activate"


async def test_events_that_nobody_looks_at_are_named(doctor: Doctor, redis: RedisClient) -> None:
    old = f"{time.time_ns() // 1_000_000 - 600_000}-0"
    await redis.call("XADD", "wopi:{00}:events", old, "name", "x")
    case, log = Case(), RedisEventLog(redis, partitions(redis))
    await examine_host(case, msgspec.structs.replace(doctor.office(), events=log))
    await redis.call("FLUSHALL")
    assert "host.events" in found(case)


async def test_addresses_that_lead_nowhere_are_named(doctor: Doctor) -> None:
    assert "host.public-url" in await doctor.host(WOPI_PUBLIC_URL=NOWHERE)
    assert "host.src-url" in await doctor.host(WOPI_SRC_URL=NOWHERE)
    plain = await doctor.host(WOPI_PUBLIC_URL="http://wopi.example.org")
    assert plain["host.public-scheme"].remedy == "WOPI_PUBLIC_URL=https://wopi.example.org"


async def test_another_installation_is_not_taken_for_this_one(doctor: Doctor) -> None:
    assert "host.src-url" in await doctor.host(WOPI_INTERNAL_TOKEN="another-" * 4)
    async with answering(lambda _asked: Told(body=b"<h1>Welcome to nginx</h1>")) as place:
        assert "host.src-url" in await doctor.host(WOPI_SRC_URL=f"http://{place}")


async def test_a_redirect_is_named_with_where_it_leads(doctor: Doctor) -> None:
    def away(asked: Asked) -> Told:
        return Told(301, {"Location": f"https://wopi.example.org{asked.target}"})

    async with answering(away) as place:
        finding = (await doctor.host(WOPI_SRC_URL=f"http://{place}"))["host.src-redirect"]
    assert finding.remedy == "WOPI_SRC_URL=https://wopi.example.org"


@asynccontextmanager
async def proxied(cluster: Cluster, change: Callable[[Asked], Asked | Told]) -> AsyncGenerator[str]:
    """Stand before the cluster as a proxy that changes what it passes on."""
    prober = HttpProber()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = change(await read_request(reader))
        if isinstance(asked, Asked):
            sent = {k: v for k, v in asked.headers.items() if k == "x-wopi-lock"}
            url = cluster.url + asked.target
            answer = await prober.ask(asked.method, url, headers=sent, body=asked.body)
            told = Told(answer.status, {}, answer.body)
        else:
            told = asked
        head = f"HTTP/1.1 {told.status} Told\r\nContent-Length: {len(told.body)}\r\n\r\n"
        writer.write(head.encode() + told.body)
        await writer.drain()

    async with serving(serve) as port:
        yield f"http://127.0.0.1:{port}"


def decoding(asked: Asked) -> Asked:
    asked.target = asked.target.replace("%2F", "/")
    return asked


def dropping_empty(asked: Asked) -> Asked:
    asked.headers = {k: v for k, v in asked.headers.items() if v}
    return asked


def losing_chunks(asked: Asked) -> Asked:
    asked.body = b"" if "transfer-encoding" in asked.headers else asked.body
    return asked


def limiting(asked: Asked) -> Asked | Told:
    return Told(413) if int(asked.headers.get("content-length", "0")) > 1_000_000 else asked


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        (decoding, "host.escapes", "proxy_pass"),
        (dropping_empty, "host.empty-header", "headers without a value"),
        (losing_chunks, "host.chunked", "proxy_request_buffering off"),
        (limiting, "host.body-size", "client_max_body_size 2048m"),
    ],
)
async def test_a_proxy_that_changes_requests_is_found(
    doctor: Doctor,
    cluster: Cluster,
    change: Callable[[Asked], Asked | Told],
    check: str,
    words: str,
) -> None:
    async with proxied(cluster, change) as url:
        findings = await doctor.host(WOPI_SRC_URL=url)
    wrong = set(findings) - {"host.session-service"}
    assert wrong == {check}
    assert words in findings[check].remedy


async def test_a_proxy_that_changes_nothing_is_well(doctor: Doctor, cluster: Cluster) -> None:
    async with proxied(cluster, lambda asked: asked) as url:
        findings = await doctor.host(WOPI_SRC_URL=url)
    assert set(findings) == {"host.session-service"}


def test_the_address_of_the_doctor_is_closed_without_a_pass(cluster: Cluster) -> None:
    with cluster.admin() as admin:
        assert admin.get("/wopi/doctor/9999999999.abc.def").status_code == 404


# Editors


class Office365:
    """An editor whose every answer can be had wrong."""

    def __init__(self, **changes: Any) -> None:
        self.changes = changes
        self.asked: list[Asked] = []
        self.fetched = 0
        self.place = ""

    def __call__(self, asked: Asked) -> Told:
        self.asked.append(asked)
        headers = {"Date": formatdate(time.time() + self.changes.get("clock_s", 0), usegmt=True)}
        if asked.target == "/hosting/discovery":
            self.fetched += 1
            return Told(200, headers, self._discovery().encode())
        if asked.target == "/hosting/wopiAccessCheck":
            status = self.changes.get("access", "Ok")
            return Told(200, headers, json.dumps({"status": status}).encode())
        return Told(200, headers | self.changes.get("page", {}), b"<html>")

    def _discovery(self) -> str:
        place = self.changes.get("calls_itself", f"http://{self.place}")
        key = self.fetched if self.changes.get("key_per_pod") else 1
        modulus = base64.b64encode(b"\x90" + bytes([key]) * 127).decode()
        proof = f'<proof-key modulus="{modulus}" exponent="AQAB"/>'
        return (
            '<wopi-discovery><net-zone name="external-http"><app name="writer">'
            f'<action name="edit" ext="odt" urlsrc="{place}/cool.html?"/></app></net-zone>'
            f"{'' if self.changes.get('unsigned') else proof}</wopi-discovery>"
        )


@pytest.mark.parametrize(
    ("changes", "configured", "check", "words"),
    [
        ({"unsigned": True}, {"proof": ProofPolicy.REQUIRED}, "editor.proof", "generate-proof-key"),
        ({"unsigned": True}, {}, "editor.proof", "generate-proof-key"),
        ({}, {"proof": ProofPolicy.OFF}, "editor.proof", "--proof required"),
        ({"key_per_pod": True}, {}, "editor.proof-keys", "same /etc/coolwsd/proof_key"),
        ({"clock_s": 1500}, {}, "editor.clock", "set-ntp true"),
        ({"calls_itself": "http://other"}, {}, "editor.address", "<server_name>127.0.0.1"),
        ({}, {"extensions": ("odt", "dwg")}, "editor.extensions", "--extensions"),
        ({"access": "HostUnReachable"}, {}, "editor.reaches-us", '<host allow="true">http://127'),
        (
            {"page": {"Content-Security-Policy": "frame-ancestors 'self' other.example"}},
            {},
            "editor.frames",
            "<frame_ancestors>127.0.0.1",
        ),
        ({"page": {"X-Frame-Options": "SAMEORIGIN"}}, {}, "editor.frames", "X-Frame-Options"),
    ],
    ids=str,
)
async def test_an_editor_that_is_set_up_wrong_is_named(
    doctor: Doctor,
    changes: dict[str, Any],
    configured: dict[str, Any],
    check: str,
    words: str,
) -> None:
    editor = Office365(**changes)
    async with answering(editor) as editor.place:
        findings = await doctor.editor({"url": f"http://{editor.place}", **configured})
    assert set(findings) == {check}
    assert words in findings[check].remedy


async def test_an_editor_that_is_well_is_asked_to_call_back(doctor: Doctor) -> None:
    editor = Office365()
    async with answering(editor) as editor.place:
        assert await doctor.editor({"url": f"http://{editor.place}"}) == {}
    asked = next(a for a in editor.asked if a.target == "/hosting/wopiAccessCheck")
    assert "/wopi/doctor/" in json.loads(asked.body)["callbackUrl"]


async def test_an_http_editor_in_an_https_page_is_named(doctor: Doctor) -> None:
    editor = Office365()
    async with answering(editor) as editor.place:
        findings = await doctor.editor(
            {"url": f"http://{editor.place}"}, WOPI_PUBLIC_URL="https://wopi.example.org"
        )
    assert "editor.mixed-content" in findings


async def test_an_editor_that_does_not_answer_is_named(doctor: Doctor) -> None:
    assert set(await doctor.editor({"url": NOWHERE})) == {"editor.discovery"}
    async with answering(lambda _asked: Told(body=b"<html>no discovery</html>")) as place:
        assert set(await doctor.editor({"url": f"http://{place}"})) == {"editor.discovery"}
    refused = await doctor.editor({"url": NOWHERE}, WOPI_EDITOR_ALLOW="10.0.0.0/8")
    assert "WOPI_EDITOR_ALLOW" in refused["editor.discovery"].remedy


async def test_a_certificate_that_ends_soon_is_named(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, context = own_authority(tmp_path)  # It ends tomorrow.
    (tmp_path / "ca.pem").write_text(pem)
    monkeypatch.setattr(
        "httpcore._async.connection.default_ssl_context",
        lambda: ssl.create_default_context(cafile=str(tmp_path / "ca.pem")),
    )
    editor = Office365()
    async with answering(editor, context) as editor.place:
        editor.changes["calls_itself"] = f"https://{editor.place}"
        findings = await doctor.editor({"url": f"https://{editor.place}"})
    assert set(findings) == {"editor.certificate"}


async def test_no_editor_at_all_is_named(doctor: Doctor) -> None:
    case = Case()
    await examine_editors(case, doctor.office(), ("nobody",), None)
    assert set(found(case)) == {"editors.some"}


@pytest.mark.parametrize(
    ("policy", "is_refused"),
    [
        ("frame-ancestors *", False),
        ("default-src 'self'; frame-ancestors https:", False),
        ("frame-ancestors https://wopi.example.org", False),
        ("frame-ancestors *.example.org", False),
        ("frame-ancestors wopi.example.org:*", False),
        ("frame-ancestors 'none'", True),
        ("frame-ancestors http:", True),
        ("frame-ancestors 'self'", True),
        ("default-src 'self'", False),
    ],
)
def test_who_may_show_a_page_in_a_frame(policy: str, *, is_refused: bool) -> None:
    headers = {"content-security-policy": policy}
    address = "https://office.example.com/cool.html"
    assert bool(refuses_frames(headers, "https://wopi.example.org", address)) is is_refused


# Tenants


async def test_what_is_wrong_with_a_tenant_is_named(
    doctor: Doctor, cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    assert await doctor.tenant(tenant.tenant_id) == {}

    async def after(**change: Any) -> dict[str, Finding]:
        with cluster.admin() as admin:
            admin.patch(f"/api/tenants/{tenant.tenant_id}", json=change).raise_for_status()
        return await doctor.tenant(tenant.tenant_id)

    assert "tenant.active" in await after(active=False)
    assert "tenant.mode" in await after(active=True, wopi_mode="own")
    assert "tenant.mode" in await after(wopi_mode="disabled")
    assert "callbacks.reachable" in await after(wopi_mode="pool", client_base_url=NOWHERE)
    public = await after(client_base_url="http://93.184.215.14")
    assert "https://93.184.215.14" in public["callbacks.scheme"].remedy
    keys = "other:" + base64.urlsafe_b64encode(b"o" * 32).decode()
    assert "secrets.readable" in await doctor.tenant(tenant.tenant_id, WOPI_ENCRYPTION_KEYS=keys)


async def test_callbacks_are_tried_as_events_are_sent(
    doctor: Doctor, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    assert await doctor.tenant(tenant.tenant_id) == {}
    (ping,) = (p for p in tenant.application.pings if p["tenant_id"] == tenant.tenant_id)
    assert (ping["event"], ping["session_id"], ping["sequence"]) == ("ping", "", 0)
    tenant.application.answers[tenant.tenant_id] = (401, b"")
    refused = (await doctor.tenant(tenant.tenant_id))["callbacks.signature"]
    assert "answered 401 to a signed ping" in refused.what
    assert f"rotate-webhook-secret {tenant.tenant_id}" in refused.remedy
    tenant.application.answers[tenant.tenant_id] = (404, b"")
    assert set(await doctor.tenant(tenant.tenant_id)) == {"callbacks.reachable"}


async def test_callbacks_are_tried_through_the_operator_s_proxy(
    doctor: Doctor, cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    tenant, asked = make_tenant(), list[str]()

    def refuse(request: Asked) -> Told:
        asked.append(f"{request.method} {request.target}")
        return Told(407)

    with cluster.admin() as admin:
        change = {"client_base_url": "http://93.184.215.14"}
        admin.patch(f"/api/tenants/{tenant.tenant_id}", json=change).raise_for_status()
    async with answering(refuse) as proxy:
        url = f"http://{proxy}"
        findings = await doctor.tenant(tenant.tenant_id, WOPI_CALLBACK_PROXY=url)
    assert asked == ["CONNECT 93.184.215.14:80"]
    assert "407" in findings["callbacks.reachable"].what


async def test_callbacks_without_a_signature_are_named(
    doctor: Doctor, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    store = doctor.office().tenants
    record = await store.get_tenant(TenantId(tenant.tenant_id))
    assert record is not None
    await store.put_tenant(msgspec.structs.replace(record, webhook_secrets=()))
    assert "callbacks.signed" in await doctor.tenant(tenant.tenant_id)


async def test_a_storage_that_is_gone_is_named(
    doctor: Doctor, cluster: Cluster, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    assert "storage.answers" in await doctor.tenant(tenant.tenant_id, WOPI_LOCAL_ROOTS="/srv")
    with cluster.admin() as admin:
        admin.delete(f"/api/storages/docs?tenant_id={tenant.tenant_id}")
    assert "storages.some" in await doctor.tenant(tenant.tenant_id)


async def test_callbacks_that_came_to_nothing_are_named(
    doctor: Doctor, make_tenant: Callable[[], Tenant]
) -> None:
    tenant = make_tenant()
    tenant.upload("a.txt", b"x")
    tenant.application.answers[tenant.tenant_id] = (410, b"")
    session = tenant.open()
    deadline = time.monotonic() + 20
    findings: dict[str, Finding] = {}
    while "callbacks.dead-letters" not in findings and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        findings = await doctor.tenant(tenant.tenant_id)
    assert {"callbacks.disabled", "callbacks.dead-letters"} <= set(findings)
    assert session.session_id


async def test_every_finding_says_why_and_what_to_do(doctor: Doctor) -> None:
    diagnosis = await run_doctor(doctor.office(), Caller(None), DoctorRequest())
    assert diagnosis.items
    assert all(f.what and f.why and f.remedy for f in diagnosis.items)
    levels = [f.level for f in diagnosis.items]
    assert levels == sorted(levels, key=list(Level).index)
