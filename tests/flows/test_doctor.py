"""The doctor: what is wrong with the installation is named with its remedy, what is well is not."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from genro_wopi.adapters.http.prober import HttpProber
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.event_log import RedisEventLog
from genro_wopi.domain.callers import Caller
from genro_wopi.domain.doctor import Level
from genro_wopi.gateway.operations.doctor.case import WHY, Case
from genro_wopi.gateway.operations.doctor.examine import run_doctor
from genro_wopi.gateway.operations.doctor.host_checks import examine_host
from genro_wopi.management.doctor import DoctorRequest
from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster
from tests.support.doctor import NOWHERE, Doctor, found
from tests.support.raw_http import Asked, Told, answering, read_request, serving
from tests.support.world import partitions

pytestmark = pytest.mark.flow


# A healthy cluster


def test_a_healthy_cluster_has_nothing(cluster: Cluster, make_tenant: Callable[[], Tenant]) -> None:
    tenant = make_tenant()
    with cluster.admin() as admin:
        whole = admin.post("/api/doctor", json={}).json()
        own = tenant.http.post("/api/doctor", json={}).json()
    assert "items" in whole, whole
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


async def test_every_finding_says_why_and_what_to_do(doctor: Doctor) -> None:
    diagnosis = await run_doctor(doctor.office(), Caller(None), DoctorRequest())
    assert diagnosis.items
    assert all(f.what and f.why and f.remedy for f in diagnosis.items)
    levels = [f.level for f in diagnosis.items]
    assert levels == sorted(levels, key=list(Level).index)
