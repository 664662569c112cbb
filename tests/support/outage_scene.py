"""A wopi-service whose Redis or storage goes away, and what it keeps meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from genro_wopi.adapters.redis.client import RedisClient, connect, text
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.domain.storages import StorageFaultError
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.runtime.background import background_failed
from genro_wopi.wopi_service.app import create_app
from genro_wopi.wopi_service.operations.host import node_of
from genro_wopi.wopi_service.operations.unsettled import submit_until
from genro_wopi.wopi_service.service import WopiService
from tests.support.gate import Gate, gate_before
from tests.support.in_process import Wopi, client_of, wopi_in_process
from tests.support.waiting import eventually

PATIENCE = {"WOPI_PATIENCE_SECONDS": "1"}


class AwayOpener:
    """A storage that answers nothing while `is_away`."""

    def __init__(self, opener: Any) -> None:
        self._opener = opener
        self.is_away = False

    async def open(self, storage: Any) -> Any:
        return _Away(await self._opener.open(storage), self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opener, name)


class _Away:
    def __init__(self, inner: Any, opener: AwayOpener) -> None:
        self._inner, self._opener = inner, opener

    def node(self, path: Any) -> Any:
        return _Away(self._inner.node(path), self._opener)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if self._opener.is_away and callable(found):
            raise StorageFaultError("The storage is away.")
        return found


@dataclass
class Scene:
    """A service behind a gate to Redis, over a storage that may go away."""

    wopi: Wopi
    redis: RedisClient
    """Not through the gate."""
    gate: Gate
    storage: AwayOpener
    service: WopiService
    spool: Path

    async def ask(
        self,
        override: str,
        body: bytes = b"",
        *,
        ticks: int = 0,
        token: str = "",
        lock: str = "L",
        stamp: str = "",
    ) -> int:
        headers = {"X-WOPI-Override": override, "X-WOPI-Lock": lock}
        if stamp:
            headers["X-COOL-WOPI-Timestamp"] = stamp
        if ticks:
            headers["X-WOPI-TimeStamp"] = str(ticks)
        url = self.wopi.path + ("/contents" if override == "PUT" else "")
        query = {"access_token": token or self.wopi.token}
        answer = await self.wopi.http.post(url, params=query, headers=headers, content=body or None)
        return answer.status_code

    async def someone(self, kind: EditorKind = EditorKind.GENERIC) -> str:
        """Return the token of another session on the document."""
        record = await self.wopi.world.registry.record(self.wopi.session.file_id)
        assert record is not None
        return self.wopi.token_of(await self.wopi.world.session(record, kind=kind))

    async def stamp(self, token: str) -> str:
        """Ask when the document was changed last."""
        answer = await self.wopi.http.get(self.wopi.path, params={"access_token": token})
        return str(answer.json()["LastModifiedTime"])

    async def reads(self, token: str) -> bytes:
        """Load the document."""
        url, query = f"{self.wopi.path}/contents", {"access_token": token}
        return (await self.wopi.http.get(url, params=query)).content

    def write_outside(self, content: bytes) -> None:
        """Let another program write the file."""
        draft = self.wopi.folder / "draft"
        draft.write_bytes(content)
        draft.replace(self.wopi.folder / "a.txt")

    def away(self, what: str, *, is_away: bool = True) -> None:
        if what == "storage":
            self.storage.is_away = is_away
        elif is_away:
            self.gate.shut()
        else:
            self.gate.open()

    @property
    def kept(self) -> list[Path]:
        return sorted(self.spool.glob("unsettled-*.json"))

    @property
    def head(self) -> bytes:
        return (self.wopi.folder / "a.txt").read_bytes()

    async def copies(self) -> list[bytes]:
        """Return the recovery copies that are listed."""
        host, found = self.service.host, list[bytes]()
        record = await host.registry.record(self.wopi.session.file_id)
        assert record is not None
        node = await node_of(host, record)
        for rescue_id, _ in await host.rescues.list_ids(record.tenant_id, after="", limit=9):
            async with node.open_rescued(rescue_id) as chunks:
                found.append(b"".join([c async for c in chunks]))
        return found

    async def events(self) -> list[str]:
        return [fields["name"] for fields in await self.told()]

    async def told(self) -> list[dict[str, str]]:
        """Return the fields of all events."""
        events = FileKeys(self.wopi.session.file_id).events
        entries = [list(map(text, e[1])) for e in await self.redis.call("XRANGE", events, "-", "+")]
        return [dict(zip(e[::2], e[1::2], strict=True)) for e in entries]

    async def settled(self) -> None:
        """Submit what is kept until nothing is left."""
        stopping = asyncio.Event()
        submitting = asyncio.create_task(
            submit_until(self.service.unsettled, stopping, background_failed)
        )

        async def look() -> list[Path]:
            return self.kept

        try:
            await eventually(look, lambda kept: not kept, timeout_s=20)
        finally:
            stopping.set()
            await submitting


def through(url: str, port: int) -> str:
    return f"redis://127.0.0.1:{port}{urlsplit(url).path}"


@asynccontextmanager
async def staged(redis: RedisClient, redis_url: str, folder: Path) -> AsyncGenerator[Scene]:
    """Set the scene."""
    async with AsyncExitStack() as stack:
        gate = await stack.enter_async_context(gate_before(urlsplit(redis_url).port or 6379))
        url = through(redis_url, gate.port)
        client = await stack.enter_async_context(connect(url))
        wopi = await wopi_in_process(stack, client, url, folder, **PATIENCE)
        storage = AwayOpener(wopi.service.host.storages)
        service = with_storage(wopi.service, storage)
        wopi.http = await stack.enter_async_context(client_of(create_app(service, client)))
        yield Scene(wopi, redis, gate, storage, service, folder / "spool")
        gate.open()


def with_storage(service: WopiService, storage: Any) -> WopiService:
    host = msgspec.structs.replace(service.host, storages=storage)
    unsettled = msgspec.structs.replace(
        service.unsettled,
        host=msgspec.structs.replace(service.unsettled.host, storages=storage),
    )
    return msgspec.structs.replace(service, host=host, unsettled=unsettled)
