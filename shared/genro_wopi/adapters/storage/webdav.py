"""Files on a WebDAV server. Class B: PUT takes no condition that is atomic, but LOCK is.

A commit locks the file, compares its head, and writes with the lock's token: of many writers that
lock, one writes at a time. Programs that write without a lock are seen by the ETag they leave.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

import msgspec

from genro_wopi.adapters.http.fetch import Answer
from genro_wopi.adapters.storage.plain_store import Entry, Hold
from genro_wopi.adapters.storage.sidecar import SidecarStorage
from genro_wopi.adapters.storage.surroundings import StorageSurroundings, invalid, require_place
from genro_wopi.adapters.storage.webdav_client import (
    DavClient,
    DavSettings,
    body_chunks,
    entry_of,
    require_success,
)
from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.errors import AlreadyExistsError, HostError, NotFoundError
from genro_wopi.domain.memory_body import MemoryBody
from genro_wopi.domain.paths import RESERVED_SEGMENT, StoragePath
from genro_wopi.domain.storages import Body, FileBusyError, Storage, StorageFaultError

LOCK_TIMEOUT: Final = "Second-120"
"""Longer than any save is waited for; the lock of a writer that died ends by itself."""

LOCK_ATTEMPTS_MAX: Final = 50
LOCK_PAUSE_S: Final = 0.1

_CREATED: Final = 201
_CONFLICT: Final = 409
_EXISTS: Final = frozenset({405, 301, 302})
_PRECONDITION_FAILED: Final = 412
_NO_FOLDER: Final = frozenset({_CONFLICT, 403, 404, 500})
"""The reference says 409; servers also answer these where the folder of the target is missing."""

_LOCKED: Final = 423
_PARTIAL: Final = frozenset({200, 206})
_LOCK: Final = (
    b'<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    b"<D:locktype><D:write/></D:locktype><D:owner>genro-wopi</D:owner></D:lockinfo>"
)


async def build(storage: Storage, surroundings: StorageSurroundings) -> SidecarStorage:
    """Open a configured storage; nothing is sent yet.

    Raises:
        InvalidFieldsError: its address is not one that this host may call.
    """
    config = storage.config
    url = str(config["url"]).rstrip("/")
    await surroundings.egress.check_url(url, field="config.url")
    if "?" in url or "#" in url:
        raise invalid("url", "use the address of a folder, without '?' and '#'")
    require_place("url", urlsplit(url).path)
    settings = DavSettings(
        url=url,
        username=str(config["username"]) if config.get("username") else None,
        password=surroundings.secret(storage, "password"),
        token=surroundings.secret(storage, "token"),
        verify_tls=bool(config.get("verify_tls", True)),
    )
    store = DavStore(DavClient(settings, surroundings.egress))
    return SidecarStorage(store, SystemClock().now_us(), surroundings.records(storage))


class DavHold(msgspec.Struct, frozen=True):
    """A lock of the server's."""

    token: str
    made_file: bool
    """Locking a path where nothing lay made an empty file there, until something is put."""


class DavStore:
    """Implements `PlainStore` over a WebDAV server."""

    storage_class = "B"

    def __init__(self, client: DavClient) -> None:
        self._client = client

    async def stat(self, path: StoragePath) -> Entry | None:
        """See PlainStore."""
        found = await self._client.list_entries(path, depth=0)
        return found.itself if found else None

    @asynccontextmanager
    async def read(
        self, path: StoragePath, *, first: int = 0, last: int | None = None
    ) -> AsyncGenerator[tuple[Entry, AsyncIterator[bytes]]]:
        """See PlainStore."""
        headers: dict[str, str] = {}
        if first or last is not None:
            headers["range"] = f"bytes={first}-{'' if last is None else last}"
        async with self._client.opened("GET", path, headers) as response:
            if response.status not in _PARTIAL:
                require_success(Answer(response.status, {}, b""), "GET")
                raise StorageFaultError(f"The WebDAV server answered {response.status} to GET.")
            yield entry_of(response), body_chunks(response)

    async def put(self, path: StoragePath, body: Body, hold: Hold | None = None) -> None:
        """See PlainStore."""
        answer = await self._in_folder("PUT", path, _shown(hold), body=body)
        require_success(answer, "PUT")

    async def copy(self, source: StoragePath, target: StoragePath) -> None:
        """See PlainStore."""
        headers = {"destination": self._client.url(target), "overwrite": "T", "depth": "0"}
        answer = await self._in_folder("COPY", source, headers, folder_of=target)
        require_success(answer, "COPY")

    async def rename(
        self, source: StoragePath, target: StoragePath, hold: Hold | None = None
    ) -> None:
        """See PlainStore."""
        headers = {"destination": self._client.url(target), "overwrite": "F"}
        if isinstance(hold, DavHold):  # Tagged: untagged it would be asked of the target too.
            headers["if"] = f"<{self._client.url(source)}> (<{hold.token}>)"
        folder = StoragePath(target.rpartition("/")[0])
        if folder and await self.stat(folder) is None:
            await self.make_folder(folder)  # Before: a MOVE that fails half way cannot be repeated.
        answer = await self._client.request("MOVE", source, headers)
        if answer.status == _PRECONDITION_FAILED:
            raise AlreadyExistsError(f"There is something named {target!r} already.")
        require_success(answer, "MOVE")

    async def remove(self, path: StoragePath) -> None:
        """See PlainStore."""
        with suppress(NotFoundError):
            require_success(await self._client.request("DELETE", path), "DELETE")

    async def list_folder(self, path: StoragePath, *, limit: int) -> list[Entry]:
        """See PlainStore."""
        found = await self._client.list_entries(path, depth=1)
        if found is None or found.itself is None or not found.itself.is_folder:
            if not path:
                return []
            raise NotFoundError("There is no such folder in the storage.")
        return found.children[:limit]

    async def make_folder(self, path: StoragePath) -> None:
        """See PlainStore."""
        answer = await self._client.request("MKCOL", path)
        if answer.status == _CONFLICT:
            above = path.rpartition("/")[0]
            if not above:
                raise StorageFaultError("The WebDAV server makes no folder here.")
            await self.make_folder(StoragePath(above))
            answer = await self._client.request("MKCOL", path)
        if answer.status not in _EXISTS:
            require_success(answer, "MKCOL")

    @asynccontextmanager
    async def held(self, path: StoragePath) -> AsyncGenerator[DavHold]:
        """See PlainStore."""
        hold = await self._locked(path)
        try:
            yield hold
        finally:
            with suppress(HostError):
                await self._client.request("UNLOCK", path, {"lock-token": f"<{hold.token}>"})
                if hold.made_file:
                    await self._remove_empty(path)

    async def probe(self) -> tuple[str, list[str]]:
        """See PlainStore."""
        path = StoragePath(f"{RESERVED_SEGMENT}/probe/{uuid.uuid4().hex}")
        try:
            return await self._probe(path)
        finally:
            with suppress(HostError):
                await self.remove(path)

    async def aclose(self) -> None:
        """See PlainStore."""
        await self._client.aclose()

    async def _probe(self, path: StoragePath) -> tuple[str, list[str]]:
        body = MemoryBody(b"probe")
        await self.put(path, body)
        findings = ["The folder can be read and written."]
        hold = await self._locked(path)
        second = await self._try_lock(path)
        without = await self._client.request("PUT", path, body=body)
        with_token = await self._client.request("PUT", path, _shown(hold), body=body)
        await self._client.request("UNLOCK", path, {"lock-token": f"<{hold.token}>"})
        checks = {
            "A second lock is refused.": second.status == _LOCKED,
            "A write without the lock's token is refused.": without.status == _LOCKED,
            "A write with the token is taken.": with_token.is_success,
        }
        findings += [text for text, holds in checks.items() if holds]
        failed = [text for text, holds in checks.items() if not holds]
        findings += [f"Not so here: {text}" for text in failed]
        entry = await self.stat(path)
        if entry is None or not entry.fingerprint.startswith('"'):
            findings.append("No ETags: changes within one second and of equal size are not seen.")
        findings.append("Class B: a save is made under a lock, not by one conditional write.")
        return ("none" if failed else self.storage_class), findings

    async def _locked(self, path: StoragePath) -> DavHold:
        for _ in range(LOCK_ATTEMPTS_MAX):
            answer = await self._try_lock(path)
            if answer.status != _LOCKED:
                require_success(answer, "LOCK")
                token = answer.headers.get("lock-token", "").strip("<> ")
                if not token:
                    raise StorageFaultError("The WebDAV server's lock has no token.")
                return DavHold(token, made_file=answer.status == _CREATED)
            await asyncio.sleep(LOCK_PAUSE_S)
        raise FileBusyError("Another program holds the file's WebDAV lock.")

    async def _try_lock(self, path: StoragePath) -> Answer:
        headers = {"timeout": LOCK_TIMEOUT, "depth": "0", "content-type": "application/xml"}
        return await self._in_folder("LOCK", path, headers, content=_LOCK)

    async def _remove_empty(self, path: StoragePath) -> None:
        """Take away what locking made, where nothing was put there."""
        entry = await self.stat(path)
        if entry is not None and not entry.size_bytes:
            await self.remove(path)

    async def _in_folder(
        self,
        method: str,
        path: StoragePath,
        headers: Mapping[str, str],
        *,
        folder_of: StoragePath | None = None,
        content: bytes | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Send a request; where the folder that it needs is missing, make it and send again."""
        answer = await self._client.request(method, path, headers, content, body)
        folder = (folder_of or path).rpartition("/")[0]
        if answer.status not in _NO_FOLDER or not folder:
            return answer
        await self.make_folder(StoragePath(folder))
        return await self._client.request(method, path, headers, content, body)


def _shown(hold: Hold | None) -> dict[str, str]:
    return {"if": f"(<{hold.token}>)"} if isinstance(hold, DavHold) else {}
