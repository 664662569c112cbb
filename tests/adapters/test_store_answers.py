"""A store that answers what no store does: redirects, and more than memory holds."""

import pytest

from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.storage.s3 import S3Storage
from genro_wopi.adapters.storage.webdav_client import DavClient, DavSettings
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.storages import StorageFaultError
from tests.adapters.test_egress import Server, listening
from tests.adapters.test_rebinding import settings

LOOPBACK = EgressPolicy(("loopback",), setting="WOPI_STORAGE_ALLOW")
LONG = 24 * 2**20


def answer(status: str, body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_no_redirect_of_a_store_is_followed(status: str) -> None:
    async with listening(Server()) as other:
        headers = f"Location: http://127.0.0.1:{other.port}/\r\nx-amz-bucket-region: eu-west-1\r\n"
        async with listening(Server(answer=answer(status, b"", headers))) as store:
            url = f"http://127.0.0.1:{store.port}"
            storage = await S3Storage.connect(settings(url, egress=LOOPBACK), None)
            with pytest.raises(StorageFaultError):
                await storage.list_folder(StoragePath(""), limit=1)
            await storage.aclose()
        assert other.visits == 0


@pytest.mark.parametrize("status", ["200 OK", "500 Error"])
@pytest.mark.parametrize(
    "body", [b"<a>" + b"x" * LONG, b"<a>" + b"<b/>" * (LONG // 16) + b"</a>"], ids=["long", "many"]
)
async def test_an_answer_that_is_too_large_is_refused(status: str, body: bytes) -> None:
    async with listening(Server(answer=answer(status, body))) as store:
        url = f"http://127.0.0.1:{store.port}"
        storage = await S3Storage.connect(settings(url, egress=LOOPBACK), None)
        with pytest.raises(StorageFaultError):
            await storage.list_folder(StoragePath(""), limit=1)
        await storage.aclose()
        client = DavClient(DavSettings(url=url), LOOPBACK)
        with pytest.raises(StorageFaultError):
            await client.list_entries("", depth=1)
        await client.aclose()
