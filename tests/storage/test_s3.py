"""What a bucket promises beyond the contract: patience with slow links and large bodies."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.storage import s3, s3_bucket, s3_client
from genro_wopi.adapters.storage.s3 import S3Storage
from genro_wopi.adapters.storage.s3_client import S3Settings
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.secrets import Secret
from genro_wopi.domain.storages import HeadChangedError, StorageFaultError
from tests.storage.test_conformance import ceph_storage, evidence, moto_storage, node_of

ANSWER_AFTER_S = 1.5


@asynccontextmanager
async def slow_store() -> AsyncGenerator[S3Storage]:
    """Stand in for a store behind a slow link: it answers a write long after the last byte."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"100-continue" in head:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        await asyncio.sleep(ANSWER_AFTER_S)
        writer.write(b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n')
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        answered.set()

    answered = asyncio.Event()
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = S3Settings(
        bucket="b",
        prefix="",
        endpoint_url=f"http://127.0.0.1:{port}",
        region="us-east-1",
        path_style=True,
        access_key_id="a",
        secret_access_key=Secret("b"),
        egress=EgressPolicy(("loopback",), setting="WOPI_STORAGE_ALLOW"),
    )
    async with server:
        storage = await S3Storage.connect(settings, None)
        yield storage
        await storage.aclose()
        await answered.wait()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    async def open_client(*arguments: object, read_timeout_s: int = 1) -> object:
        return await opened(*arguments, read_timeout_s=read_timeout_s)  # type: ignore[arg-type]

    opened = s3_client.open_client
    for module in (s3, s3_bucket):
        monkeypatch.setattr(module, "open_client", open_client)


@pytest.mark.usefixtures("impatient")
async def test_a_large_body_is_waited_for_longer(tmp_path: Path) -> None:
    body = MemoryBody(b"x" * s3_client.LARGE_BYTES)
    spooled = tmp_path / "spooled"
    spooled.write_bytes(body.in_memory())
    body.path = spooled  # type: ignore[assignment]
    async with slow_store() as storage:
        written = await node_of(storage).write_if(body, evidence(), None)
    assert written.fingerprint == '"e"'


@pytest.mark.usefixtures("impatient")
async def test_a_small_body_is_tried_again_soon() -> None:
    async with slow_store() as storage:
        with pytest.raises(StorageFaultError):
            await node_of(storage).write_if(MemoryBody(b"x"), evidence(), None)


@pytest.mark.check
async def test_the_probe_says_what_is_wrong_with_a_store(ceph_url: str) -> None:
    plain = await ceph_storage(ceph_url, versioned=False)
    versioned = await ceph_storage(ceph_url, versioned=True)
    found, found_versioned = await plain.probe(), await versioned.probe()
    assert (found.storage_class, found.etag_quoted) == ("A", False)
    assert "If-Match is accepted only with an unquoted ETag: done so." in found.findings
    assert found_versioned.storage_class == "B"
    assert any("could be lost" in f or "impossible" in f for f in found_versioned.findings)
    assert any(f.startswith("Class B") for f in found_versioned.findings)
    for backend in (plain, versioned):
        await backend.aclose()


@pytest.mark.check
async def test_a_copy_is_of_what_was_read_where_the_store_does_not_look(ceph_url: str) -> None:
    plain = await ceph_storage(ceph_url, versioned=False)
    report = await plain.probe()
    assert not report.copies_checked
    assert any("copied twice" in finding for finding in report.findings)
    opened = await S3Storage.connect(plain.settings, report)
    node = node_of(opened)
    first = await node.write_if(MemoryBody(b"one"), evidence(), None)
    second = await node.write_if(MemoryBody(b"two"), evidence(2), first)
    with pytest.raises(HeadChangedError):
        await node.keep(first)
    assert await node.versions(limit=10) == []
    await node.keep(second)
    (kept,) = await node.versions(limit=10)
    assert kept.evidence == second.evidence
    for storage in (plain, opened):
        await storage.aclose()


async def test_a_store_that_looks_copies_once(s3_url: str) -> None:
    plain = await moto_storage(s3_url, versioned=False)
    report = await plain.probe()
    assert report.copies_checked, report.findings
    await plain.aclose()


async def test_a_store_is_asked_to_encrypt(s3_url: str) -> None:
    plain = await moto_storage(s3_url, versioned=False)
    asked = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1"}
    settings = msgspec.structs.replace(plain.settings, encryption=asked)
    backend = await S3Storage.connect(settings, None)
    node = node_of(backend)
    first = await node.write_if(MemoryBody(b"one"), evidence(), None)
    await node.keep(first)
    await node.write_if(MemoryBody(b"two"), evidence(2), first)
    listed = await backend.client.list_objects_v2(Bucket=settings.bucket)
    keys = [item["Key"] for item in listed["Contents"]]
    assert len(keys) == 2
    for key in keys:
        stored = await backend.client.head_object(Bucket=settings.bucket, Key=key)
        assert stored["ServerSideEncryption"] == "aws:kms"
    for opened in (plain, backend):
        await opened.aclose()


async def test_a_presigned_address_is_given_only_where_it_is_asked_for(s3_url: str) -> None:
    plain = await moto_storage(s3_url, versioned=False)
    backend = await S3Storage.connect(
        msgspec.structs.replace(plain.settings, hands_out_urls=True), None
    )
    await node_of(backend).write_if(MemoryBody(b"hello"), evidence(), None)
    url = await node_of(backend).presigned_url(life_s=60)
    assert url is not None
    answer = await asyncio.to_thread(httpx.get, url)
    assert answer.content == b"hello"
    assert await node_of(plain).presigned_url(life_s=60) is None
    for opened in (plain, backend):
        await opened.aclose()


async def test_a_store_with_a_certificate_of_its_own_is_trusted_by_that_alone(
    tmp_path: Path,
) -> None:
    authority = new_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    settings = S3Settings(
        bucket="b",
        prefix="",
        endpoint_url=f"https://127.0.0.1:{port}",
        region="us-east-1",
        path_style=True,
        access_key_id="a",
        secret_access_key=Secret("b"),
        egress=EgressPolicy(("loopback",), setting="WOPI_STORAGE_ALLOW"),
    )
    async with server:
        stranger = await S3Storage.connect(settings, None)
        with pytest.raises(StorageFaultError):
            await node_of(stranger).stat()
        trusting = msgspec.structs.replace(settings, ca_certificate=authority)
        known = await S3Storage.connect(trusting, None)
        assert await node_of(known).stat() is None
        for opened in (stranger, known):
            await opened.aclose()


def new_certificate(folder: Path) -> str:
    """Make a certificate for 127.0.0.1 that signs itself; return it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "certificate.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem.decode()
