"""Stores that answer anything: an error in words, or an entry left out; never a crash."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.storage.s3 import S3Storage
from genro_wopi.adapters.storage.s3_client import S3Settings
from genro_wopi.adapters.storage.sidecar import SidecarStorage
from genro_wopi.adapters.storage.watched import Unobserved, Watch, WatchedBackend
from genro_wopi.adapters.storage.webdav import DavStore
from genro_wopi.adapters.storage.webdav_client import DavClient, DavSettings
from genro_wopi.domain.circuit import Circuit
from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.errors import NotFoundError
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.secrets import Secret
from genro_wopi.domain.storages import StorageBackend, StorageFaultError, StorageProtocol

GOOD = 'ETag: "e"\r\nContent-Length: 5\r\nLast-Modified: Wed, 21 Oct 2026 07:28:00 GMT'

ODD_HEADS = {
    "no ETag": "Content-Length: 5\r\nLast-Modified: Wed, 21 Oct 2026 07:28:00 GMT",
    "a size that is no number": GOOD.replace(": 5", ": five"),
    "a negative size": GOOD.replace(": 5", ": -5"),
    "an absurd size": GOOD.replace(": 5", f": {'9' * 40}"),
    "an enormous ETag": GOOD.replace('"e"', f'"{"e" * 5000}"'),
    "another script's digits": GOOD.replace(": 5", ": \u00b2"),
}
HARMLESS_HEADS = {
    "no date": 'ETag: "e"\r\nContent-Length: 5',
    "a date that is none": GOOD.replace("Wed, 21 Oct 2026 07:28:00 GMT", "yesterday"),
    "a date before all": GOOD.replace("21 Oct 2026", "21 Oct 0001"),
}

LOOPBACK = EgressPolicy(["loopback"], setting="WOPI_STORAGE_ALLOW")


@asynccontextmanager
async def answering(answer: Callable[[bytes], bytes]) -> AsyncGenerator[str]:
    """Serve what a function makes of the head of a request."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(answer(head))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def with_headers(headers: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 200 OK\r\n{headers}\r\nConnection: close\r\n\r\n".encode() + body


def with_xml(text: str, status: str = "200 OK") -> bytes:
    body = f'<?xml version="1.0"?>{text}'.encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def bucket(answer: Callable[[bytes], bytes]) -> AsyncGenerator[StorageBackend]:
    async with answering(answer) as url:
        settings = S3Settings(
            bucket="b",
            prefix="files/",
            endpoint_url=url,
            region="us-east-1",
            path_style=True,
            access_key_id="a",
            secret_access_key=Secret("b"),
            egress=LOOPBACK,
        )
        backend = await S3Storage.connect(settings, None)
        yield watched(backend, StorageProtocol.S3)
        await backend.aclose()


@asynccontextmanager
async def dav(answer: Callable[[bytes], bytes]) -> AsyncGenerator[StorageBackend]:
    async with answering(answer) as url:
        store = DavStore(DavClient(DavSettings(url=f"{url}/dav"), LOOPBACK))
        backend = SidecarStorage(store, 0)
        yield watched(backend, StorageProtocol.WEBDAV)
        await backend.aclose()


def watched(backend: StorageBackend, protocol: StorageProtocol) -> StorageBackend:
    return WatchedBackend(backend, Watch(protocol, Circuit(SystemClock()), Unobserved()))


async def read(backend: StorageBackend) -> int:
    async with backend.node(StoragePath("a.txt")).open_read() as opened:
        return opened.head.size_bytes


async def stat(backend: StorageBackend) -> int:
    head = await backend.node(StoragePath("a.txt")).stat()
    assert head is not None
    return head.size_bytes


@pytest.mark.parametrize("work", [stat, read])
@pytest.mark.parametrize("headers", ODD_HEADS.values(), ids=ODD_HEADS)
async def test_a_bucket_that_says_what_cannot_be_is_a_fault(
    headers: str, work: Callable[[StorageBackend], Awaitable[int]]
) -> None:
    async with bucket(lambda _: with_headers(headers, b"hello")) as backend:
        with pytest.raises(StorageFaultError):
            await work(backend)


@pytest.mark.parametrize("headers", HARMLESS_HEADS.values(), ids=HARMLESS_HEADS)
async def test_a_bucket_without_dates_has_files_all_the_same(headers: str) -> None:
    async with bucket(lambda _: with_headers(headers)) as backend:
        with suppress(StorageFaultError):  # The library refuses some dates itself.
            assert await stat(backend) == 5


LIST = (
    "<ListBucketResult><IsTruncated>{more}</IsTruncated>{token}"
    "<Contents><Key>files/a.txt</Key><Size>1</Size></Contents>"
    "<Contents><Key>files/a.txt</Key><Size>2</Size></Contents>"
    "<Contents><Key>other/secret.txt</Key><Size>1</Size></Contents>"
    "<Contents><Key>files/x/y.txt</Key><Size>1</Size></Contents>"
    "<Contents><Key>files/..</Key><Size>1</Size></Contents>"
    "<Contents><Key>files/huge</Key><Size>-1</Size></Contents>"
    "<Contents><Key>files/{long}</Key><Size>1</Size></Contents>"
    "<CommonPrefixes><Prefix>elsewhere/</Prefix></CommonPrefixes>"
    "<CommonPrefixes><Prefix>files/b/</Prefix></CommonPrefixes>"
    "</ListBucketResult>"
)


async def test_a_buckets_list_shows_what_can_be_named_once() -> None:
    text = LIST.format(more="false", token="", long="n" * 300)
    async with bucket(lambda _: with_xml(text)) as backend:
        entries = await backend.list_folder(StoragePath(""), limit=100)
    assert [(e.name, e.is_folder) for e in entries] == [("a.txt", False), ("b", True)]


@pytest.mark.parametrize(
    "token",
    [
        "<NextContinuationToken>t</NextContinuationToken>",
        "",
        f"<NextContinuationToken>{'t' * 9000}</NextContinuationToken>",
    ],
    ids=["again and again", "none", "enormous"],
)
async def test_a_buckets_list_that_does_not_go_on_is_a_fault(token: str) -> None:
    text = LIST.format(more="true", token=token, long="n")
    async with bucket(lambda _: with_xml(text)) as backend:
        with pytest.raises(StorageFaultError):
            await backend.list_folder(StoragePath(""), limit=10_000)


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nno xml at", b"\x00\xff", b"", with_xml("<a/>")],
    ids=["no XML", "no HTTP", "nothing", "another document"],
)
async def test_a_bucket_that_answers_no_s3_is_a_fault_or_empty(answer: bytes) -> None:
    async with bucket(lambda _: answer) as backend:
        with suppress(StorageFaultError, NotFoundError):
            assert await backend.list_folder(StoragePath(""), limit=10) == []


def dav_entry(href: str, *, size: str = "5", etag: str = '"e"', folder: bool = False) -> str:
    kind = "<D:collection/>" if folder else ""
    return (
        f"<D:response><D:href>{href}</D:href><D:propstat><D:prop><D:getetag>{etag}</D:getetag>"
        f"<D:getcontentlength>{size}</D:getcontentlength>"
        f"<D:resourcetype>{kind}</D:resourcetype></D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )


def dav_list(*entries: str) -> bytes:
    text = f'<D:multistatus xmlns:D="DAV:">{"".join(entries)}</D:multistatus>'
    return with_xml(text, "207 Multi-Status")


async def test_a_dav_list_shows_what_lies_in_the_folder_only() -> None:
    answer = dav_list(
        dav_entry("/dav/", folder=True),
        dav_entry("/dav/a.txt"),
        dav_entry("/dav/a.txt"),
        dav_entry("/elsewhere.txt"),
        dav_entry("/dav/../up.txt"),
        dav_entry("/dav/%2e%2e"),
        dav_entry("/dav/..%2fup.txt"),
        dav_entry("/davx"),
        dav_entry("/dav/odd.txt", size="\u00b2"),
        dav_entry("/dav/minus.txt", size="-1"),
        dav_entry("http://other.example/secret"),
        dav_entry("/dav/b/", folder=True),
    )
    async with dav(lambda _: answer) as backend:
        entries = await backend.list_folder(StoragePath(""), limit=100)
    assert [(e.name, e.is_folder) for e in entries] == [("a.txt", False), ("b", True)]


@pytest.mark.parametrize(
    "odd", [{"size": "five"}, {"size": "-5"}, {"size": ""}, {"etag": "e" * 5000}, {"etag": ""}]
)
async def test_a_dav_server_that_says_what_cannot_be_is_a_fault(odd: dict[str, str]) -> None:
    async with dav(
        lambda _: dav_list(
            dav_entry("/dav/a.txt", size=odd.get("size", "5"), etag=odd.get("etag", '"e"'))
        )
    ) as backend:
        with pytest.raises(StorageFaultError):
            await backend.node(StoragePath("a.txt")).stat()


async def test_a_dav_answer_about_something_else_is_no_file() -> None:
    async with dav(lambda _: dav_list(dav_entry("/dav/other.txt"))) as backend:
        assert await backend.node(StoragePath("a.txt")).stat() is None


@pytest.mark.parametrize(
    "path", ["../a", "x/%2e%2e/a", "x/../../a", "%252e%252e%2fa", "/etc/passwd"]
)
@pytest.mark.parametrize("storage", [bucket, dav])
async def test_nothing_is_asked_outside_of_the_root(path: str, storage: object) -> None:
    asked: list[bytes] = []

    def answer(head: bytes) -> bytes:
        asked.append(head)
        return with_headers(GOOD)

    is_encoded = "%" in path
    opening = bucket(answer) if storage is bucket else dav(answer)
    async with opening as backend:
        if storage is bucket and is_encoded:
            return  # A name like others: keys of a bucket are sent as they are.
        with pytest.raises(NotFoundError):
            await look_and_read(backend, StoragePath(path))
    assert asked == []


async def look_and_read(backend: StorageBackend, path: StoragePath) -> None:
    node = backend.node(path)
    assert await node.stat() is None
    async with node.open_read():
        return
