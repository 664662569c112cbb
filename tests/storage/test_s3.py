"""What a bucket promises beyond the contract: patience with slow links and large bodies."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from genro_wopi.adapters.storage import s3, s3_client
from genro_wopi.adapters.storage.s3 import S3Storage
from genro_wopi.adapters.storage.s3_client import S3Settings
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.secrets import Secret
from genro_wopi.domain.storages import StorageFaultError
from tests.storage.test_conformance import evidence, node_of

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
    monkeypatch.setattr(s3, "open_client", open_client)


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
