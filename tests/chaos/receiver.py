"""Applications of many tenants in one server: each can answer, fail or hang."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from standardwebhooks.webhooks import Webhook


class Mood(Enum):
    """What an application does."""

    ANSWERS = "answers"
    FAILS = "answers 500"
    HANGS = "hangs"


@dataclass
class Receiver:
    """Every callback, in the order in which it was acknowledged."""

    secret: str
    url: str = ""
    moods: dict[str, Mood] = field(default_factory=dict[str, Mood])
    """By tenant; one that is not named answers."""
    acknowledged: list[tuple[float, dict[str, Any]]] = field(
        default_factory=list[tuple[float, dict[str, Any]]]
    )
    attempts: dict[Mood, int] = field(default_factory=dict[Mood, int])

    def find(self, tenant_id: str, since_s: float, until_s: float) -> list[float]:
        """Return how long after its moment each event of a tenant came, of a span of time."""
        return [
            at_s - float(event["moment_s"])
            for at_s, event in self.acknowledged
            if event["tenant_id"] == tenant_id and since_s <= event["moment_s"] < until_s
        ]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                await self._serve_one(reader, writer)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(":") for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value.strip() for name, _, value in lines}
        body = await reader.readexactly(int(headers["content-length"]))
        Webhook(self.secret).verify(body, headers)
        event = json.loads(body)
        mood = self.moods.get(event["tenant_id"], Mood.ANSWERS)
        self.attempts[mood] = self.attempts.get(mood, 0) + 1
        if mood is Mood.HANGS:
            await asyncio.sleep(3600)
        if mood is Mood.ANSWERS:
            event["moment_s"] = _seconds(event["timestamp"])
            self.acknowledged.append((time.time(), event))
        status = b"200 OK" if mood is Mood.ANSWERS else b"500 Internal Server Error"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


@asynccontextmanager
async def receiving(secret: str) -> AsyncGenerator[Receiver]:
    """Listen until the block ends."""
    receiver = Receiver(secret)
    served: set[asyncio.Task[None]] = set()

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(receiver.serve(reader, writer))
        served.add(task)
        try:
            await asyncio.wait((task,))
        finally:
            served.discard(task)
            writer.transport.abort()

    listener = await asyncio.start_server(tracked, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        yield receiver
        for task in served:
            task.cancel()
        await asyncio.sleep(0.05)
