"""Addresses that a tenant gives: what is refused where the socket is made; proxy, certificates."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from genro_wopi.adapters.http.egress import EgressPolicy, GuardedNetwork
from genro_wopi.adapters.http.fetch import FetchError, fetch
from genro_wopi.adapters.http.proxy import ProxyTunnel
from genro_wopi.adapters.http.trust import trusting
from genro_wopi.adapters.http.trusting_pools import TrustingPools
from genro_wopi.domain.errors import InvalidFieldsError
from genro_wopi.domain.secrets import Secret
from tests.support.raw_http import serving

PRIVATE = [
    "127.0.0.1",
    "127.255.0.9",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "192.0.0.8",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:db8::1",
    "ff02::1",
    "::127.0.0.1",
    "5f00::1",
    "fec0::1",
]

OTHER_FORMS = [
    "2130706433",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "127.1",
    "localhost",
    "LOCALHOST.",
    "017700000001",
]
"""Of 127.0.0.1, as the resolver understands them."""

PUBLIC = "93.184.215.14"


@dataclass
class Server:
    """Listens on the loopback, says hello, and counts who came."""

    port: int = 0
    visits: int = 0
    heads: list[bytes] = field(default_factory=list[bytes])
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        with suppress(asyncio.IncompleteReadError, OSError):
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()


@asynccontextmanager
async def listening(
    server: Server, context: ssl.SSLContext | None = None
) -> AsyncGenerator[Server]:
    async with serving(server.serve, context) as server.port:
        yield server


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    async with listening(Server()) as running:
        yield running


def guarded(*allow: str) -> httpcore.AsyncConnectionPool:
    policy = EgressPolicy(allow, setting="WOPI_CALLBACK_ALLOW")
    return httpcore.AsyncConnectionPool(network_backend=GuardedNetwork(policy))


def resolving(
    monkeypatch: pytest.MonkeyPatch, addresses: Callable[[str], list[str]]
) -> list[tuple[str, list[str]]]:
    """Let names lead where a test wants; a resolver that lies cannot be had otherwise."""
    asked: list[tuple[str, list[str]]] = []

    async def getaddrinfo(
        _loop: object, host: str, port: int, **_options: object
    ) -> list[tuple[object, ...]]:
        found = addresses(host)
        asked.append((host, found))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found_at, port)) for found_at in found]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not EgressPolicy((), setting="X").allows("host", address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1", "64:ff9b::808:808"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert EgressPolicy((), setting="X").allows("host", address)


@pytest.mark.parametrize("entry", ["loopback", "127.0.0.0/8", "app.internal"])
def test_an_operator_can_allow_an_address(entry: str) -> None:
    assert EgressPolicy((entry,), setting="X").allows("app.internal", "127.0.0.1")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "ftp://example.org/",
        "http://u:p@8.8.8.8/",
        "x",
        "http://ü.de/",
    ],
)
async def test_a_bad_address_is_refused_when_it_is_configured(url: str) -> None:
    with pytest.raises(InvalidFieldsError):
        await EgressPolicy((), setting="X").check_url(url, field="url")


@pytest.mark.parametrize("host", [*PRIVATE, *OTHER_FORMS])
async def test_no_socket_is_made_to_what_is_refused(host: str, server: Server) -> None:
    name = f"[{host}]" if ":" in host else host
    async with guarded() as pool:
        with pytest.raises(FetchError, match=r"not a public address|cannot be resolved"):
            await fetch(pool, "GET", f"http://{name}:{server.port}/", timeout_s=5)
    assert server.visits == 0


async def test_the_same_server_answers_where_it_is_allowed(server: Server) -> None:
    async with guarded("loopback") as pool:
        answer = await fetch(pool, "GET", f"http://127.1:{server.port}/", timeout_s=5)
    assert answer.body == b"hello"


@pytest.mark.parametrize("address", [a for a in PRIVATE if ":" not in a])
async def test_a_name_that_leads_to_a_refused_address_is_refused(
    address: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, lambda _host: [address])
    async with guarded() as pool:
        with pytest.raises(FetchError, match="not a public address"):
            await fetch(pool, "GET", f"http://evil.example:{server.port}/", timeout_s=5)
    assert server.visits == 0


async def test_a_name_that_changes_between_look_ups_is_checked_at_each_connection(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])
    asked = resolving(monkeypatch, lambda _host: next(answers))
    policy, url = EgressPolicy((), setting="X"), f"http://rebinding.example:{server.port}/"
    await policy.check_url(url, field="url")
    async with httpcore.AsyncConnectionPool(network_backend=GuardedNetwork(policy)) as pool:
        with pytest.raises(FetchError, match="not a public address"):
            await fetch(pool, "GET", url, timeout_s=5)
    assert len(asked) == 2, "the address that is connected to is the one that was checked"
    assert server.visits == 0


async def test_a_redirect_is_not_followed(server: Server) -> None:
    place = f"http://127.0.0.1:{server.port}/"
    moved = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + place.encode() + b"\r\n\r\n"
    async with listening(Server(answer=moved)) as redirecting, guarded("loopback") as pool:
        answer = await fetch(pool, "POST", f"http://127.0.0.1:{redirecting.port}/", timeout_s=5)
    assert answer.status == 302
    assert not answer.is_success
    assert server.visits == 0


class Proxy:
    """Takes CONNECT, notes it, and passes everything on to one server."""

    def __init__(self, target: int, status: bytes = b"200 OK") -> None:
        self.target, self.status, self.heads = target, status, list[bytes]()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 " + self.status + b"\r\n\r\n")
        if self.status.startswith(b"200"):
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            try:
                await asyncio.gather(pass_on(reader, back), pass_on(there, writer))
            finally:
                back.transport.abort()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while received := await reader.read(4096):
            writer.write(received)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def through(proxy: Proxy, *allow: str) -> AsyncGenerator[GuardedNetwork]:
    async with serving(proxy.serve) as port:
        url = Secret(f"http://user:p%40ss@127.0.0.1:{port}")
        yield GuardedNetwork(EgressPolicy(allow, setting="X"), proxy=ProxyTunnel(url))


async def test_public_addresses_are_reached_through_the_proxy(server: Server) -> None:
    proxy = Proxy(server.port)
    async with (
        through(proxy) as network,
        httpcore.AsyncConnectionPool(network_backend=network) as pool,
    ):
        answer = await fetch(pool, "GET", f"http://{PUBLIC}/", timeout_s=5)
    assert answer.body == b"hello"
    assert proxy.heads[0].startswith(f"CONNECT {PUBLIC}:80 HTTP/1.1\r\n".encode())
    assert b"Basic dXNlcjpwQHNz" in proxy.heads[0], "user:p@ss"
    assert b"Basic" not in server.heads[0]


async def test_the_proxy_is_asked_for_nothing_that_is_refused_or_inside(server: Server) -> None:
    proxy = Proxy(server.port)
    async with (
        through(proxy, "127.0.0.1/32") as network,
        httpcore.AsyncConnectionPool(network_backend=network) as pool,
    ):
        with pytest.raises(FetchError, match="not a public address"):
            await fetch(pool, "GET", "http://169.254.169.254/", timeout_s=5)
        answer = await fetch(pool, "GET", f"http://127.0.0.1:{server.port}/", timeout_s=5)
    assert answer.body == b"hello"
    assert proxy.heads == []


async def test_a_proxy_that_refuses_is_named() -> None:
    async with (
        through(Proxy(1, b"403 Forbidden")) as network,
        httpcore.AsyncConnectionPool(network_backend=network) as pool,
    ):
        with pytest.raises(FetchError, match="the proxy answered 403"):
            await fetch(pool, "GET", f"http://{PUBLIC}/", timeout_s=5)


def own_authority(folder: Path) -> tuple[str, ssl.SSLContext]:
    """Make a certificate that nobody trusts yet; return it in PEM, and what a server needs."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app.internal")])
    alternatives = x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("app.internal")]
    )
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "both.pem").write_bytes(private + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return pem.decode(), context


async def test_a_tenant_s_own_authority_is_trusted_for_that_tenant_only(tmp_path: Path) -> None:
    pem, context = own_authority(tmp_path)
    network = GuardedNetwork(EgressPolicy(("loopback",), setting="X"))
    pools = TrustingPools(network)
    async with listening(Server(), context) as secured:
        url = f"https://127.0.0.1:{secured.port}/"
        answer = await fetch(await pools.trusting(pem), "GET", url, timeout_s=5)
        with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"):
            await fetch(await pools.trusting(""), "GET", url, timeout_s=5)
        other = f"https://localhost:{secured.port}/"
        with pytest.raises(FetchError, match=r"mismatch"):
            await fetch(await pools.trusting(pem), "GET", other, timeout_s=5)
        await pools.aclose()
    assert answer.body == b"hello"


async def test_tls_reaches_through_the_proxy_to_the_server_itself(tmp_path: Path) -> None:
    pem, context = own_authority(tmp_path)
    async with listening(Server(), context) as secured:
        proxy = Proxy(secured.port)
        async with through(proxy) as network:
            pools = TrustingPools(network)
            pool = await pools.trusting(pem)
            with pytest.raises(FetchError, match=r"mismatch"):
                await fetch(pool, "GET", f"https://{PUBLIC}/", timeout_s=5)
            await pools.aclose()
    assert proxy.heads[0].startswith(f"CONNECT {PUBLIC}:443".encode())


@pytest.mark.parametrize(
    "text", ["x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_holds_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no certificate"):
        trusting(text)
