"""Reaching the outside through the operator's HTTP proxy, by CONNECT (RFC 9110, 9.3.6)."""

import base64
from typing import Final
from urllib.parse import unquote, urlsplit

import h11
import httpcore
from httpcore._backends.anyio import AnyIOBackend  # the public name is untyped

from genro_wopi.domain.secrets import Secret

HEAD_BYTES_MAX: Final = 16 * 1024
_SUCCESS: Final = range(200, 300)


class ProxyTunnel:
    """Opens connections through one proxy."""

    def __init__(self, url: Secret) -> None:
        """Read the proxy's address: ``http://user:password@host:port``."""
        parts = urlsplit(url.reveal())
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._headers: list[tuple[str, str]] = []
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            encoded = base64.b64encode(pair.encode()).decode()
            self._headers.append(("Proxy-Authorization", f"Basic {encoded}"))
        self._network: httpcore.AsyncNetworkBackend = AnyIOBackend()

    async def connect(
        self, address: str, port: int, *, timeout_s: float | None
    ) -> httpcore.AsyncNetworkStream:
        """Return a stream to an address; what is sent on it, TLS too, the proxy only passes on.

        Raises:
            httpcore.ConnectError: the proxy is away or refuses.
        """
        stream = await self._network.connect_tcp(self._host, self._port, timeout_s)
        try:
            await self._ask(stream, address, port, timeout_s)
        except BaseException:
            await stream.aclose()
            raise
        return stream

    async def _ask(
        self, stream: httpcore.AsyncNetworkStream, address: str, port: int, timeout_s: float | None
    ) -> None:
        target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)
        headers = [("Host", target), *self._headers]
        request = h11.Request(method="CONNECT", target=target, headers=headers)
        await stream.write(talk.send(request) or b"", timeout_s)
        try:
            while (answer := talk.next_event()) is h11.NEED_DATA:
                talk.receive_data(await stream.read(HEAD_BYTES_MAX, timeout_s))
        except h11.RemoteProtocolError as error:
            raise httpcore.ConnectError("the proxy does not speak HTTP") from error
        if not isinstance(answer, h11.Response) or answer.status_code not in _SUCCESS:
            status = answer.status_code if isinstance(answer, h11.Response) else "nothing"
            raise httpcore.ConnectError(
                f"the proxy answered {status} instead of opening the connection"
            )
