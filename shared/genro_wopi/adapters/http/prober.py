"""Probes of the doctor; see `genro_wopi.domain.doctor.Prober`."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit

import h11
import httpcore
from httpcore._backends.anyio import AnyIOBackend  # the public name is untyped

from genro_wopi.adapters.http.fetch import ANSWER_BYTES_MAX, FAULTS, lower_names
from genro_wopi.domain.doctor import Reached, UnreachedError

TIMEOUT_S: Final = 8.0
ANNOUNCED_S: Final = 2.0
"""Who refuses a large body does so at once; who says nothing waits for it."""

CHUNK_BYTES: Final = 64 * 1024


class HttpProber:
    """Implements `Prober`."""

    def __init__(self, network: httpcore.AsyncNetworkBackend | None = None) -> None:
        """Take what it goes through.

        Args:
            network: guarded where a tenant gave the address.
        """
        self._network = network

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        chunked: bool = False,
    ) -> Reached:
        """See Prober; each request has a connection of its own."""
        sent = [(k.encode(), v.encode()) for k, v in (headers or {}).items()]
        content = _chunks(body) if chunked else body or None
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._pool() as pool,
                pool.stream(method, url, headers=sent, content=content) as response,
            ):
                return await _reached(response)
        except TimeoutError as error:
            raise UnreachedError(f"no answer within {TIMEOUT_S:g} s") from error
        except FAULTS as error:
            raise UnreachedError(str(error) or type(error).__name__) from error
        except (httpcore.UnsupportedProtocol, ValueError, TypeError) as error:
            raise UnreachedError(f"not a usable address: {error}") from error

    async def announce(self, url: str, *, size_bytes: int) -> int | None:
        """See Prober; by hand, since a client reads the answer only after the body."""
        parts = urlsplit(url)
        is_tls, host = parts.scheme == "https", parts.hostname or ""
        port = parts.port or (443 if is_tls else 80)
        headers = {"Host": parts.netloc, "Content-Length": str(size_bytes)}
        talk = h11.Connection(h11.CLIENT)
        asked = h11.Request(method="POST", target=parts.path, headers=list(headers.items()))
        head = talk.send(asked)
        network = self._network or AnyIOBackend()
        try:
            stream = await network.connect_tcp(host, port, timeout=ANNOUNCED_S)
            if is_tls:
                stream = await stream.start_tls(httpcore.default_ssl_context(), host, ANNOUNCED_S)
            try:
                await stream.write((head or b"") + b"\0", ANNOUNCED_S)
                return await _status(talk, stream)
            finally:
                await stream.aclose()
        except httpcore.ReadTimeout:
            return None
        except (*FAULTS, h11.ProtocolError) as error:
            raise UnreachedError(str(error) or type(error).__name__) from error

    def _pool(self) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(network_backend=self._network, max_connections=1)


async def _status(talk: h11.Connection, stream: httpcore.AsyncNetworkStream) -> int:
    while (answer := talk.next_event()) is h11.NEED_DATA:
        received = await stream.read(CHUNK_BYTES, ANNOUNCED_S)
        talk.receive_data(received)
    if not isinstance(answer, h11.Response):
        raise httpcore.RemoteProtocolError("the connection was closed")
    return answer.status_code


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), CHUNK_BYTES):
        yield body[start : start + CHUNK_BYTES]


async def _reached(response: httpcore.Response) -> Reached:
    received = bytearray()
    async for chunk in response.aiter_stream():
        received += chunk
        if len(received) > ANSWER_BYTES_MAX:
            break
    return Reached(
        status=response.status,
        headers=lower_names(response),
        body=bytes(received),
        certificate_ends_us=_certificate_ends_us(response),
    )


def _certificate_ends_us(response: httpcore.Response) -> int | None:
    untyped: Any = response
    stream = untyped.extensions.get("network_stream")
    connection = stream.get_extra_info("ssl_object") if stream is not None else None
    certificate = connection.getpeercert() if connection is not None else None
    if not certificate or "notAfter" not in certificate:
        return None
    return int(ssl.cert_time_to_seconds(certificate["notAfter"])) * 1_000_000
