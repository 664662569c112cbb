"""Sealed secrets and tokens."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from genro_wopi.adapters.secrets import AesGcmRing
from genro_wopi.adapters.tokens import JwtSigner, JwtVerifier
from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.errors import UnauthenticatedError
from genro_wopi.domain.identifiers import FileId, SessionId, TenantId
from genro_wopi.domain.secrets import Sealed, Secret, UnreadableSecretError

OLD, NEW = ("old", b"o" * 32), ("new", b"n" * 32)
CLAIMS = AccessClaims(
    session_id=SessionId("00" + "s" * 22),
    file_id=FileId("00" + "f" * 22),
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
