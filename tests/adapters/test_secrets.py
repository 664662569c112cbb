"""Sealed secrets, tokens, and addresses that may not be called."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.secrets import AesGcmRing
from genro_wopi.adapters.tokens import JwtSigner, JwtVerifier
from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.errors import InvalidFieldsError, UnauthenticatedError
from genro_wopi.domain.identifiers import FileId, SessionId, TenantId
from genro_wopi.domain.secrets import Sealed, Secret, UnreadableSecretError

OLD, NEW = ("old", b"o" * 32), ("new", b"n" * 32)
CLAIMS = AccessClaims(
    session_id=SessionId("00" + "s" * 22),
    file_id=FileId("f" * 22),
    tenant_id=TenantId("acme"),
    editor="/collabora",
    can_edit=True,
    user="Anna",
    expires_us=4_000_000_000_000_000,
)


def test_a_secret_comes_back() -> None:
    ring = AesGcmRing([OLD])
    sealed = ring.seal(Secret("s3cret"), context="acme/x")
    assert "s3cret" not in sealed
    assert ring.open(sealed, context="acme/x") == Secret("s3cret")


def test_an_older_key_still_opens() -> None:
    sealed = AesGcmRing([OLD]).seal(Secret("s"), context="c")
    assert AesGcmRing([NEW, OLD]).open(sealed, context="c") == Secret("s")


@pytest.mark.parametrize("context", ["other/x", ""])
def test_a_secret_that_was_moved_does_not_open(context: str) -> None:
    ring = AesGcmRing([OLD])
    with pytest.raises(UnreadableSecretError):
        ring.open(ring.seal(Secret("s"), context="acme/x"), context=context)


@pytest.mark.parametrize("sealed", ["", "plain", "enc:v1:old:!!", "enc:v1:gone:AAAA"])
def test_what_was_not_sealed_here_does_not_open(sealed: str) -> None:
    with pytest.raises(UnreadableSecretError):
        AesGcmRing([OLD]).open(Sealed(sealed), context="c")


def test_a_token_says_what_was_signed() -> None:
    key = Ed25519PrivateKey.generate()
    token = JwtSigner("s1", key).sign(CLAIMS).reveal()
    assert JwtVerifier({"s1": key.public_key()}).verify(token) == CLAIMS
    assert len(token) < 1500


def test_a_token_of_another_key_is_refused() -> None:
    token = JwtSigner("s1", Ed25519PrivateKey.generate()).sign(CLAIMS).reveal()
    verifier = JwtVerifier({"s1": Ed25519PrivateKey.generate().public_key()})
    with pytest.raises(UnauthenticatedError):
        verifier.verify(token)


def test_a_token_that_was_changed_is_refused() -> None:
    key = Ed25519PrivateKey.generate()
    head, body, signature = JwtSigner("s1", key).sign(CLAIMS).reveal().split(".")
    verifier = JwtVerifier({"s1": key.public_key()})
    for token in (f"{head}.{body}A.{signature}", f"{head}.{body}.", "", "x", "." * 3):
        with pytest.raises(UnauthenticatedError):
            verifier.verify(token)


PRIVATE = [
    "127.0.0.1",
    "10.0.0.1",
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
    "url", ["http://127.0.0.1/", "http://[::1]/", "ftp://example.org/", "http://u:p@8.8.8.8/", "x"]
)
async def test_a_bad_address_is_refused_when_it_is_configured(url: str) -> None:
    with pytest.raises(InvalidFieldsError):
        await EgressPolicy((), setting="X").check_url(url, field="url")
