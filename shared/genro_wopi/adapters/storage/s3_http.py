"""The connections of aiobotocore, guarded where the socket is made, with answers of bounded size.

By itself the library resolves names anew for each connection, follows redirects to wherever a
store says, reads proxies from the environment, and keeps a whole listing or error in memory,
however long it is.
"""

import socket
from functools import partial
from typing import Any, Final, cast

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiohttp.abc import AbstractResolver, ResolveResult

from genro_wopi.adapters.http.egress import EgressPolicy, resolve
from genro_wopi.protocol.xml_limits import XmlLimits, require_bounded

ANSWER_LIMITS: Final = XmlLimits(bytes_max=8 * 2**20, elements_max=100_000)
"""Of what is no document: a listing of 1,000 objects whose names are as long as S3 allows, written
in percent-escapes, has 4 MiB and 12,000 elements."""

_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}


class AnswerTooLargeError(aiohttp.ClientPayloadError):
    """A store answers more than can be read."""


class Answers:
    """Sends requests and takes every answer as it is: a redirect is one, too."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, method: str, **named: Any) -> aiohttp.ClientResponse:  # noqa: ANN401 - aiohttp's
        """Send a request; what is read as a whole of the answer, if it is, is bounded."""
        answer = await self._session.request(method, **named, allow_redirects=False)
        cast("Any", answer).read = partial(_read, answer)
        return answer


class GuardedHttpSession(AIOHTTPSession):
    """The library's own, with other sessions."""

    async def _get_session(self, proxy_url: str | None) -> aiohttp.ClientSession:
        own = cast("Any", super())
        made = await own._get_session(proxy_url)  # noqa: SLF001 - the only place that makes them
        return cast("aiohttp.ClientSession", Answers(made))


class Guard(AbstractResolver):
    """Resolves names to the addresses that may be called, and makes sockets to no other."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._passed: set[str] = set()
        """Addresses that are allowed for the name that they were found for."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See AbstractResolver.

        Raises:
            OSError: it has no address that may be called.
        """
        del family  # Both are good.
        found = [a for a in await resolve(host, port) if self._policy.allows(host, a)]
        if not found:
            raise OSError(self._policy.refusal(host))
        self._passed |= {a for a in found if not self._policy.allows(a, a)}
        return [_result(host, address, port) for address in found]

    async def close(self) -> None:
        """See AbstractResolver."""

    def make_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Make a socket to an address, whatever named it.

        Raises:
            OSError: it may not be called.
        """
        family, kind, protocol, _, place = info
        address = str(place[0])
        if address not in self._passed and not self._policy.allows(address, address):
            raise OSError(self._policy.refusal(address))
        return socket.socket(family=family, type=kind, proto=protocol)


def guarded_config(policy: EgressPolicy, **options: Any) -> AioConfig:  # noqa: ANN401 - the library's
    """Return a configuration whose clients connect to nothing that the policy does not allow."""
    guard = Guard(policy)
    return AioConfig(
        connector_args={
            "resolver": guard,
            "socket_factory": guard.make_socket,
            "use_dns_cache": False,
        },
        http_session_cls=GuardedHttpSession,
        proxies={},
        **options,
    )


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = _FAMILIES[6 if ":" in address else 4]
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=0, flags=flags
    )


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """Read a body that is kept in memory.

    Raises:
        AnswerTooLargeError: it is longer, or has more elements, than any listing.
    """
    received = bytearray()
    async for chunk in answer.content.iter_any():
        received += chunk
        if len(received) > ANSWER_LIMITS.bytes_max:
            answer.close()
            raise AnswerTooLargeError(f"more than {ANSWER_LIMITS.bytes_max} bytes")
    try:
        require_bounded(received, ANSWER_LIMITS)
    except ValueError as error:
        raise AnswerTooLargeError(str(error)) from error
    return bytes(received)
