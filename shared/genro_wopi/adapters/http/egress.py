"""Which addresses this host may call for a tenant, decided where the socket is made.

A tenant names addresses: callbacks, editors, storages. Private, loopback, link-local and other
special networks are refused unless the operator allows them for that purpose. The address that is
checked is the one that is connected to: names that change between two look-ups do not help, and
literal addresses are checked like resolved ones.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

import httpcore
from httpcore._backends.anyio import AnyIOBackend  # the public name is untyped

from genro_wopi.adapters.http.proxy import ProxyTunnel
from genro_wopi.domain.errors import FieldError, InvalidFieldsError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_KEYWORDS: Final = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "any": ("0.0.0.0/0", "::/0"),
}

HOST_LENGTH_MAX: Final = 253
LABEL_LENGTH_MAX: Final = 63
"""RFC 1035, section 2.3.4; what is longer makes the encoding of names raise."""

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

_REFUSED: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(n)
    for n in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "2001::/23",
        "2002::/16",
        "64:ff9b:1::/48",
        "5f00::/16",
        "fec0::/10",
        "100::/64",
        "::/96",
    )
)
"""Networks that `ipaddress` calls global in some version and that no tenant may name."""


class EgressRefusedError(httpcore.ConnectError):
    """The address is not one that may be called."""


class EgressPolicy:
    """Addresses allowed for one purpose."""

    def __init__(self, allow: Iterable[str], *, setting: str) -> None:
        self._setting = setting
        self._hosts: set[str] = set()
        self._networks: list[Network] = []
        for entry in allow:
            self._add(entry.strip().lower())

    def _add(self, entry: str) -> None:
        if entry in _KEYWORDS:
            self._networks += [ipaddress.ip_network(n) for n in _KEYWORDS[entry]]
            return
        try:
            self._networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            self._hosts.add(entry)

    def allows(self, host: str, address: str) -> bool:
        """Tell whether this address, found for that host, may be connected to."""
        return self.names(host, address) or _is_public(_parsed(address))

    def names(self, host: str, address: str) -> bool:
        """Tell whether an operator named the host or the address."""
        ip = _parsed(address)
        return host.lower() in self._hosts or any(_contains(n, ip) for n in self._networks)

    def refusal(self, host: str) -> str:
        """Say why, and what an operator can do."""
        return f"{host} is not a public address; an operator can allow it in {self._setting}"

    async def check_url(self, url: str, *, field: str) -> None:
        """Check an address when it is configured.

        Raises:
            InvalidFieldsError: it is not http(s), or leads to an address that is not allowed.
        """
        problem = await self._problem(url)
        if problem:
            raise InvalidFieldsError((FieldError(field, problem),))

    async def _problem(self, url: str) -> str | None:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            return "it is not a URL"
        if not url.isascii() or not url.isprintable() or " " in url:
            return "write it in printable ASCII: a host as xn--…, other characters as %XX"
        if parts.scheme not in {"http", "https"} or not host:
            return "use an address that begins with http:// or https://"
        if len(host) > HOST_LENGTH_MAX or any(
            len(label) > LABEL_LENGTH_MAX for label in host.split(".")
        ):
            return "no host has such a long name"
        if parts.username is not None or parts.password is not None:
            return "leave out user and password"
        if "#" in url:
            return "leave out what begins with #"
        try:
            addresses = await resolve(host, 0)
        except OSError:
            return None  # It is checked again at each connection.
        if all(self.allows(host, a) for a in addresses):
            return None
        return self.refusal(host)


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects only to what a policy allows.

    Behind a proxy, public addresses are reached through it, by the very address that was checked;
    what an operator allows is this side of it and reached directly.
    """

    def __init__(self, policy: EgressPolicy, *, proxy: ProxyTunnel | None = None) -> None:
        self._policy = policy
        self._proxy = proxy
        self._plain: httpcore.AsyncNetworkBackend = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check, and connect to the very address that was checked."""
        try:
            addresses = await resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved") from error
        allowed = [a for a in addresses if self._policy.allows(host, a)]
        if not allowed:
            raise EgressRefusedError(self._policy.refusal(host))
        if self._proxy is not None and not self._policy.names(host, allowed[0]):
            return await self._proxy.connect(allowed[0], port, timeout_s=timeout)
        return await self._plain.connect_tcp(
            allowed[0], port, timeout, local_address, socket_options
        )

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - httpcore's interface
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - httpcore's interface
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - as above
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: no tenant names a socket of this machine."""
        raise EgressRefusedError("unix sockets are not called")

    async def sleep(self, seconds: float) -> None:
        """Wait between two attempts."""
        await self._plain.sleep(seconds)


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host; a literal is its own."""
    try:
        return [str(ipaddress.ip_address(host.strip("[]")))]
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (UnicodeError, ValueError) as error:
        raise OSError(f"{host[:HOST_LENGTH_MAX]} is not the name of a host") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _parsed(address: str) -> Address:
    return ipaddress.ip_address(address.partition("%")[0])


def _contains(network: Network, ip: Address) -> bool:
    return network.version == ip.version and ip in network


def _is_public(ip: Address) -> bool:
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return _is_public(ip.ipv4_mapped)
        if ip in _NAT64:
            return _is_public(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    if ip.is_multicast or ip.is_reserved or ip.is_unspecified or not ip.is_global:
        return False
    return not any(_contains(n, ip) for n in _REFUSED)
