"""Small servers over real sockets that can do what well-behaved ones cannot be made to."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


@asynccontextmanager
async def serving(
    serve: Serve, context: ssl.SSLContext | None = None, port: int = 0
) -> AsyncGenerator[int]:
    """Listen on the loopback; whoever is still served at the end is cut off."""
    served: set[asyncio.Task[None]] = set()

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        served.add(task)
        try:
            await asyncio.wait((task,))
        finally:
            writer.transport.abort()

    listener = await asyncio.start_server(tracked, "127.0.0.1", port, ssl=context)
    async with listener:
        yield listener.sockets[0].getsockname()[1]
        for task in served:
            task.cancel()
        await asyncio.sleep(0.02)


@dataclass
class Asked:
    """One request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Told:
    """One answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


@asynccontextmanager
async def answering(
    answer: Callable[[Asked], Told], context: ssl.SSLContext | None = None
) -> AsyncGenerator[str]:
    """Answer each request as a function says; yields the host and port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            told = answer(await read_request(reader))
            fixed = {"Content-Length": str(len(told.body)), "Connection": "close"}
            lines = [f"{k}: {v}" for k, v in (told.headers | fixed).items()]
            head = "\r\n".join([f"HTTP/1.1 {told.status} Told", *lines, "", ""])
            writer.write(head.encode() + told.body)
            await writer.drain()

    async with serving(serve, context) as port:
        yield f"127.0.0.1:{port}"


async def read_request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    pairs = [line.partition(":") for line in head[1:] if line]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = b""
    if headers.get("transfer-encoding") == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).strip() or b"0", 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
    elif int(headers.get("content-length", "0")) < 10_000_000:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target, headers, body)
