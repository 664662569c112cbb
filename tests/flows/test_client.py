"""The typed client against the real host."""

import re
from collections.abc import Callable

import httpx
import pytest

from genro_wopi.client.api import ApiClient, ApiError
from genro_wopi.domain.sessions import Permission
from genro_wopi.management.files import FILES_DOWNLOAD, FILES_UPLOAD, FileDownload, FileRef
from genro_wopi.management.sessions import (
    SESSIONS_CREATE,
    SESSIONS_GET,
    SESSIONS_REVOKE,
    SessionCreate,
    SessionRef,
)
from tests.flows.conftest import Tenant
from tests.support.cluster import Cluster

pytestmark = pytest.mark.flow


async def test_the_client_speaks_by_the_declarations(
    cluster: Cluster, make_tenant: Callable[[str], Tenant]
) -> None:
    tenant = make_tenant("local")
    key = tenant.http.headers["Authorization"].removeprefix("Bearer ")
    file = FileRef(name="docs", path="a b/ü.txt")
    async with ApiClient(cluster.url, key) as client:
        download = FileDownload(name=file.name, path=file.path)
        stored = await client.call(FILES_UPLOAD, file, b"hello")
        assert (stored.size, await client.call(FILES_DOWNLOAD, download)) == (5, b"hello")
        request = SessionCreate(
            storage_name="docs",
            file_path=file.path,
            permissions=[Permission.VIEW],
            account="sales",
        )
        created = await client.call(SESSIONS_CREATE, request)
        reference = SessionRef(session_id=created.session_id)
        shown = await client.call(SESSIONS_GET, reference)
        assert shown.file_id == created.file_id == stored.file_id
        ended = await client.call(SESSIONS_REVOKE, reference)
        assert ended.state == "revoked"


async def test_a_refusal_says_what_to_do(cluster: Cluster) -> None:
    async with ApiClient(cluster.url, "wrong") as client:
        with pytest.raises(ApiError, match="401"):
            await client.call(SESSIONS_GET, SessionRef(session_id="x"))


async def test_metrics_count_requests_on_a_port_of_their_own(
    cluster: Cluster, make_tenant: Callable[[str], Tenant]
) -> None:
    tenant = make_tenant("local")
    tenant.upload("a.txt", b"hello")
    tenant.open().info()
    async with httpx.AsyncClient() as http:
        urls = [f"http://127.0.0.1:{port}/metrics" for port in cluster.metrics_ports()]
        counted = "".join([(await http.get(url)).text for url in urls])
    labels = r'editor="[a-z0-9]+",operation="check_file_info",status="200"'
    assert re.search(rf"wopi_requests_total\{{{labels}\}} [1-9]", counted)
    assert tenant.tenant_id not in counted
