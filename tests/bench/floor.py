"""The floor: bare ASGI that runs the same script, the same stat, and encodes the same answer.

No framework, no token, no routing, no metrics: what is left is what the work itself costs here, with
redis-py and aiobotocore used as their documentation shows.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import redis.asyncio
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.rows import GRACE_US, KEPT_US
from genro_wopi.adapters.redis.scripts import Script
from genro_wopi.adapters.redis.session_store import OPEN_TTL_MS
from genro_wopi.adapters.storage.local import LocalStorage
from genro_wopi.adapters.storage.s3_client import S3Client, S3Settings, open_client
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.secrets import Secret

CHUNK_BYTES = 512 * 1024


class Folder:
    """One file of a folder: what the system calls themselves cost.

    A write makes a new file and leaves the old one, as every back end that keeps versions must:
    rewriting one file would reuse its warm pages.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._file = Path(settings["root"]) / settings["path"]
        self._node = LocalStorage(Path(settings["root"])).node(StoragePath(settings["path"]))
        self._saves = 0

    async def stat(self) -> None:
        await self._node.stat()

    async def read(self, send: Any) -> None:
        descriptor = await asyncio.to_thread(os.open, self._file, os.O_RDONLY)
        await _start(send, os.fstat(descriptor).st_size)
        offset = 0
        while chunk := await asyncio.to_thread(os.pread, descriptor, CHUNK_BYTES, offset):
            offset += len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        os.close(descriptor)

    async def write(self, chunks: AsyncIterator[bytes]) -> None:
        self._saves += 1
        target = self._file.with_suffix(f".floor-{self._saves}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = await asyncio.to_thread(os.open, target, flags)
        async for chunk in chunks:
            await asyncio.to_thread(os.write, descriptor, chunk)
        await asyncio.to_thread(os.fsync, descriptor)
        os.close(descriptor)


class Bucket:
    """One object of a bucket: bare aiobotocore."""

    def __init__(self, settings: dict[str, Any], client: S3Client) -> None:
        self._client = client
        self._object = {"Bucket": settings["bucket"], "Key": settings["path"]}

    async def stat(self) -> None:
        await self._client.head_object(**self._object)

    async def read(self, send: Any) -> None:
        answer = await self._client.get_object(**self._object)
        await _start(send, answer["ContentLength"])
        while chunk := await answer["Body"].read(CHUNK_BYTES):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def write(self, chunks: AsyncIterator[bytes]) -> None:
        with tempfile.TemporaryFile() as file:
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)
            file.seek(0)
            await self._client.put_object(Body=file, **{**self._object, "Key": "floor"})


class Floor:
    """One file, one session, no questions asked."""

    def __init__(self, settings: dict[str, Any], file: Folder | Bucket) -> None:
        self._redis: Any = redis.asyncio.Redis.from_url(settings["redis_url"])  # pyright: ignore[reportUnknownMemberType]
        self._s = settings
        self._keys = FileKeys(settings["file_id"])
        self._file = file
        self._admit, self._lock = Script("admit"), Script("lock")
        self._unlock = Script("unlock")

    async def prepare(self) -> None:
        for script in (self._admit, self._lock, self._unlock):
            await self._redis.script_load(script.source)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].endswith("/contents"):
            await (self._get if scope["method"] == "GET" else self._put)(receive, send)
        elif scope["method"] == "GET":
            await self._check(send)
        else:
            await self._change_lock(scope, send)

    async def _check(self, send: Any) -> None:
        await self._ask("check")
        await self._file.stat()
        await _answer(send, msgspec.json.encode(self._s["info"]))

    async def _change_lock(self, scope: Any, send: Any) -> None:
        session, file_id, names = self._s["session_id"], self._s["file_id"], self._keys
        headers = dict(scope["headers"])
        every = (names.session(session), names.file, names.lock, names.released, names.events)
        if headers[b"x-wopi-override"] == b"LOCK":
            arguments = (session, file_id, "L", 1_800_000, 0, "Anna", 1, GRACE_US, KEPT_US)
            await self._run(self._lock, every, arguments)
        else:
            await self._run(self._unlock, every, (file_id, "L", 60_000, "r", GRACE_US))
        await _answer(send, b"")

    async def _ask(self, purpose: str) -> None:
        session, file_id, names = self._s["session_id"], self._s["file_id"], self._keys
        await self._run(
            self._admit,
            (names.session(session), names.file, names.lock, names.events, names.open),
            (session, file_id, purpose, GRACE_US, KEPT_US, OPEN_TTL_MS),
        )

    async def _run(self, script: Script, keys: Any, arguments: Any) -> Any:
        return await self._redis.evalsha(script.sha, len(keys), *keys, *arguments)

    async def _get(self, _receive: Any, send: Any) -> None:
        await self._ask("read")
        await self._file.read(send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _put(self, receive: Any, send: Any) -> None:
        for _ in range(3):
            await self._ask("save")
        await self._file.write(_batches(receive))
        await _answer(send, b"{}")


async def _batches(receive: Any) -> AsyncIterator[bytes]:
    batch = bytearray()
    more = True
    while more:
        message = await receive()
        batch += message.get("body", b"")
        more = message.get("more_body", False)
        if len(batch) > 2 * CHUNK_BYTES or not more:
            yield bytes(batch)
            batch.clear()


async def _start(send: Any, size: int) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(size).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _answer(send: Any, body: bytes) -> None:
    await _start(send, len(body))
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _policy(_kind: type, allow: list[str]) -> EgressPolicy:
    return EgressPolicy(allow, setting="WOPI_STORAGE_ALLOW")


async def main() -> None:
    settings = msgspec.json.decode(sys.argv[1].encode())
    async with AsyncExitStack() as stack:
        s3 = settings["s3"] and msgspec.convert(settings["s3"], S3Settings, dec_hook=_policy)
        if s3:
            client = await open_client(
                stack, msgspec.structs.replace(s3, secret_access_key=Secret("bench"))
            )
            file: Folder | Bucket = Bucket({**settings, "bucket": s3.bucket}, client)
        else:
            file = Folder(settings)
        floor = Floor(settings, file)
        await floor.prepare()
        server = Server(
            floor,
            port=settings["port"],
            interface=Interfaces.ASGI,
            log_enabled=False,
            websockets=False,
        )
        await server.serve()


if __name__ == "__main__":
    uvloop.run(main())
