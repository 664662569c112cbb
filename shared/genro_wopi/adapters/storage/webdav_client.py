"""HTTP to a WebDAV server: bounded, guarded, without redirects; answers in XML read safely.

Spec: https://www.rfc-editor.org/rfc/rfc4918
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit

import httpcore
import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from genro_wopi.adapters.http.egress import EgressPolicy, GuardedNetwork
from genro_wopi.adapters.http.fetch import FAULTS, Answer, lower_names
from genro_wopi.adapters.storage.answers import fingerprint_of as check_fingerprint
from genro_wopi.adapters.storage.answers import size_of, storage_time_us
from genro_wopi.adapters.storage.plain_store import Entry
from genro_wopi.domain.errors import NotFoundError, StorageFullError
from genro_wopi.domain.paths import inner_path
from genro_wopi.domain.secrets import Secret
from genro_wopi.domain.storages import Body, OddAnswerError, StorageFaultError
from genro_wopi.protocol.xml_limits import XmlLimits, require_bounded

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 8.0
WRITE_BYTES_PER_S: Final = 4 * 2**20
"""After the last byte of a large body a slow server may take this long for what it was sent."""

LISTING_LIMITS: Final = XmlLimits(bytes_max=16 * 2**20, elements_max=200_000)
"""Of one folder; of a folder with 15,000 files Nextcloud's list has 10 MiB and 135,000 elements."""

CHUNK_BYTES: Final = 512 * 1024
CONNECTIONS_MAX: Final = 32

_OK: Final = 200
_NOT_FOUND: Final = frozenset({404, 410})
_FULL: Final = 507
_DAV: Final = "{DAV:}"
_PROPERTIES: Final = (
    b'<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:getetag/><D:getcontentlength/>'
    b"<D:getlastmodified/><D:resourcetype/></D:prop></D:propfind>"
)


class DavSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server is and how it is entered."""

    url: str
    """Of the folder that is the storage's root, without a trailing slash."""
    username: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    verify_tls: bool = True


class Listing(msgspec.Struct, frozen=True):
    """What a server says of a path."""

    itself: Entry | None
    """None where it says nothing of the path itself, or that a lock holds nothing there."""
    children: list[Entry]
    """By name."""


class DavClient:
    """Sends requests to paths below one address."""

    def __init__(self, settings: DavSettings, egress: EgressPolicy) -> None:
        self._settings = settings
        self._root = unquote(urlsplit(settings.url).path).rstrip("/")
        context = ssl.create_default_context()
        if not settings.verify_tls:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            network_backend=GuardedNetwork(egress),
            max_connections=CONNECTIONS_MAX,
            keepalive_expiry=20.0,
        )
        self._credentials = _authorization(settings)

    def url(self, path: str) -> str:
        """Return the address of a path.

        Raises:
            NotFoundError: it leads out of the storage, or would at a server that decodes twice.
        """
        for decoded in (path, unquote(path), unquote(unquote(path))):
            inner_path(decoded)
        return f"{self._settings.url}/{quote(path)}" if path else f"{self._settings.url}/"

    async def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Send a request and return whatever the server answers.

        Raises:
            StorageFaultError: it does not answer, or answers too much.
        """
        async with self.opened(method, path, headers, content, body) as response:
            received = bytearray()
            async for chunk in _chunks(response):
                received += chunk
                if len(received) > LISTING_LIMITS.bytes_max:
                    raise StorageFaultError("The WebDAV server answers more than can be read.")
            return Answer(response.status, lower_names(response), bytes(received))

    @asynccontextmanager
    async def opened(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        body: Body | None = None,
    ) -> AsyncGenerator[httpcore.Response]:
        """Send a request and hold its answer open until the block ends."""
        sent = {**self._credentials, **(headers or {})}
        size_bytes = 0
        source: bytes | AsyncIterator[bytes] | None = content
        if body is not None:
            size_bytes = body.size_bytes
            sent["content-length"] = str(size_bytes)
            source = body.in_memory() if body.path is None else _file_chunks(body)
        read_s = READ_TIMEOUT_S + size_bytes / WRITE_BYTES_PER_S
        timeouts = {"connect": CONNECT_TIMEOUT_S, "read": read_s, "write": 30.0, "pool": 10.0}
        try:
            async with self._pool.stream(
                method,
                self.url(path),
                headers=[(k.encode(), v.encode()) for k, v in sent.items()],
                content=source,
                extensions={"timeout": timeouts},
            ) as response:
                yield response
        except FAULTS as error:
            reason = str(error) or type(error).__name__
            raise StorageFaultError(f"The WebDAV server does not answer: {reason}.") from error

    async def list_entries(self, path: str, *, depth: int) -> Listing | None:
        """Ask for the properties of a path, and of what is in it; None where nothing is there."""
        headers = {"depth": str(depth), "content-type": "application/xml"}
        answer = await self.request("PROPFIND", path, headers, content=_PROPERTIES)
        if answer.status in _NOT_FOUND:
            return None
        require_success(answer, "PROPFIND")
        return self._entries(path, answer.body)

    async def aclose(self) -> None:
        """Close connections."""
        await self._pool.aclose()

    def _entries(self, path: str, document: bytes) -> Listing:
        try:
            require_bounded(document, LISTING_LIMITS)
            root: Element = fromstring(document, forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError, RecursionError) as error:
            raise StorageFaultError(f"The WebDAV server's list cannot be read: {error}.") from error
        own = f"{self._root}/{path}".rstrip("/")
        itself: Entry | None = None
        found: list[Entry] = []
        for response in root.iterfind(f"{_DAV}response"):
            href = _path_of(response.findtext(f"{_DAV}href", ""))
            if href == own:
                itself = _entry(response, "")
            elif href.startswith(f"{own}/") and "/" not in href[len(own) + 1 :]:
                entry = _listed(response, href[len(own) + 1 :])
                found += [entry] if entry is not None else []
        return Listing(itself, sorted(found, key=lambda e: e.name))


def _path_of(href: str) -> str:
    """Return the path that an entry of a list is about; what is no address is about none."""
    try:
        return unquote(urlsplit(href).path, errors="strict").rstrip("/")
    except ValueError:
        return "?"


def _listed(response: "Element", name: str) -> Entry | None:
    """Describe one entry of a list; one about which odd things are said is left out."""
    try:
        return _entry(response, name)
    except OddAnswerError:
        return None


def require_success(answer: Answer, method: str) -> None:
    """Turn a refusal into an error of the domain.

    Raises:
        NotFoundError: there is no such file.
        StorageFullError: the server has no room.
        StorageFaultError: anything else.
    """
    if answer.is_success:
        return
    if answer.status in _NOT_FOUND:
        raise NotFoundError("There is no such file in the storage.")
    if answer.status == _FULL:
        raise StorageFullError("The WebDAV server has no room; free space or raise the quota.")
    raise StorageFaultError(f"The WebDAV server answered {answer.status} to {method}.")


def entry_of(response: httpcore.Response) -> Entry:
    """Describe a file by the headers of its own answer."""
    headers = lower_names(response)
    total = headers.get("content-range", "").rpartition("/")[2]
    size = size_of(total or headers.get("content-length", ""))
    return _file("", headers.get("etag", ""), size, headers.get("last-modified", ""))


async def body_chunks(response: httpcore.Response) -> AsyncIterator[bytes]:
    """Stream an answer's body.

    Raises:
        StorageFaultError: it stopped in the middle.
    """
    async for chunk in _chunks(response):
        yield chunk


async def _chunks(response: httpcore.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_stream():
            yield chunk
    except FAULTS as error:
        raise StorageFaultError("The WebDAV server stopped in the middle of a file.") from error


async def _file_chunks(body: Body) -> AsyncIterator[bytes]:
    if body.path is None:
        raise TypeError("the body is in memory")
    with body.path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


def _authorization(settings: DavSettings) -> dict[str, str]:
    if settings.token is not None:
        return {"authorization": f"Bearer {settings.token.reveal()}"}
    if settings.username is None:
        return {}
    password = settings.password.reveal() if settings.password else ""
    pair = base64.b64encode(f"{settings.username}:{password}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


def _entry(response: "Element", name: str) -> Entry | None:
    for status in response.iterfind(f"{_DAV}propstat"):
        if f" {_OK} " not in f"{status.findtext(f'{_DAV}status', '')} ":
            continue
        properties = status.find(f"{_DAV}prop")
        if properties is None:
            continue
        if properties.find(f"{_DAV}resourcetype/{_DAV}collection") is not None:
            return Entry(name=name, is_folder=True, fingerprint="", size_bytes=0, modified_us=0)
        etag = properties.findtext(f"{_DAV}getetag", "")
        size = properties.findtext(f"{_DAV}getcontentlength", "")
        modified = properties.findtext(f"{_DAV}getlastmodified", "")
        if not (etag or size or modified):
            return None  # A lock on a path where nothing lies yet (RFC 2518: lock-null).
        return _file(name, etag, size_of(size), modified)
    return None


def _file(name: str, etag: str, size_bytes: int, modified: str) -> Entry:
    """Describe a file. An ETag is weak for a second on some servers, and the same afterwards."""
    try:
        modified_us = storage_time_us(parsedate_to_datetime(modified))
    except (ValueError, TypeError, IndexError):
        modified_us = 0
    fingerprint = etag.removeprefix("W/") or f"{size_bytes}-{modified_us}"
    if not (etag or modified_us):
        raise OddAnswerError("The WebDAV server gives this file neither an ETag nor a date.")
    check_fingerprint(fingerprint)
    return Entry(
        name=name,
        is_folder=False,
        fingerprint=fingerprint,
        size_bytes=size_bytes,
        modified_us=modified_us,
    )
