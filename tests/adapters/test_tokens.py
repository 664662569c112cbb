"""Access tokens: what counts, for how long, and what never does."""

import time
from dataclasses import dataclass, field
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from genro_wopi.adapters import tokens
from genro_wopi.adapters.tokens import JwtSigner, JwtVerifier
from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.errors import UnauthenticatedError
from genro_wopi.domain.identifiers import FileId, SessionId, TenantId

KEY = Ed25519PrivateKey.generate()
SIGNER = JwtSigner("s1", KEY)
CLAIMS = AccessClaims(
    session_id=SessionId("00" + "s" * 22),
    file_id=FileId("00" + "f" * 22),
    tenant_id=TenantId("acme"),
    editor="/collabora",
    can_edit=True,
    user="Anna",
    expires_us=4_000_000_000_000_000,
)
PAYLOAD = {
    "iss": tokens.ISSUER,
    "aud": tokens.AUDIENCE,
    "sid": CLAIMS.session_id,
    "fid": CLAIMS.file_id,
    "tid": CLAIMS.tenant_id,
    "exp": 4_000_000_000,
    "jti": "x",
}


def verifier() -> JwtVerifier:
    return JwtVerifier({"s1": KEY.public_key()})


def signed(payload: dict[str, Any], **headers: str) -> str:
    known = {"kid": "s1", "typ": tokens.TYPE} | headers
    return jwt.encode(payload, KEY, algorithm=tokens.ALGORITHM, headers=known)


@dataclass
class Checks:
    """Counts how often a verifier looks at a signature."""

    verifier: JwtVerifier
    checked: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        untyped: Any = self.verifier
        check = untyped._check

        def counted(token: str) -> AccessClaims:
            self.checked.append(token)
            return check(token)

        untyped._check = counted


@pytest.mark.parametrize("parent", ["", "00" + "p" * 22])
def test_a_token_says_what_was_signed(parent: str) -> None:
    claims = msgspec.structs.replace(CLAIMS, parent=SessionId(parent))
    token = SIGNER.sign(claims).reveal()
    assert verifier().verify(token) == claims
    assert len(token) < tokens.TOKEN_LENGTH_MAX


def test_a_token_of_another_key_is_refused() -> None:
    other = JwtVerifier({"s1": Ed25519PrivateKey.generate().public_key()})
    with pytest.raises(UnauthenticatedError):
        other.verify(SIGNER.sign(CLAIMS).reveal())


def test_a_token_that_was_changed_is_refused() -> None:
    head, body, signature = SIGNER.sign(CLAIMS).reveal().split(".")
    for token in (f"{head}.{body}A.{signature}", f"{head}.{body}.", "", "x", "." * 3):
        with pytest.raises(UnauthenticatedError):
            verifier().verify(token)


@pytest.mark.parametrize(
    "change", [{"kid": "s2"}, {"kid": ""}, {"typ": "JWT"}, {"typ": "console+jwt"}], ids=str
)
def test_what_our_key_signed_for_something_else_is_refused(change: dict[str, str]) -> None:
    assert verifier().verify(signed(PAYLOAD)).tenant_id == "acme"
    with pytest.raises(UnauthenticatedError):
        verifier().verify(signed(PAYLOAD, **change))


@pytest.mark.parametrize("name", ["exp", "iss", "aud", "sid", "fid", "tid", "jti"])
def test_a_token_without_one_of_its_claims_is_refused(name: str) -> None:
    with pytest.raises(UnauthenticatedError):
        verifier().verify(signed({k: v for k, v in PAYLOAD.items() if k != name}))


def test_a_token_that_does_not_say_that_it_may_edit_may_not() -> None:
    assert verifier().verify(signed(PAYLOAD)).can_edit is False


def test_a_token_that_is_too_long_is_refused_unread() -> None:
    looked = Checks(verifier())
    with pytest.raises(UnauthenticatedError):
        looked.verifier.verify(signed(PAYLOAD | {"usr": "x" * tokens.TOKEN_LENGTH_MAX}))


def test_a_signature_is_looked_at_once_a_minute() -> None:
    looked = Checks(verifier())
    token = SIGNER.sign(CLAIMS).reveal()
    for _ in range(3):
        looked.verifier.verify(token)
    assert looked.checked == [token]


def refuse(_token: str) -> AccessClaims:
    raise UnauthenticatedError("")


def test_a_remembered_token_ends_when_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    ends_s = int(time.time()) + 5
    token = SIGNER.sign(msgspec.structs.replace(CLAIMS, expires_us=ends_s * 1_000_000)).reveal()
    known = verifier()
    assert known.verify(token).expires_us == ends_s * 1_000_000
    later_s = time.monotonic() + 6
    monkeypatch.setattr(tokens.time, "monotonic", lambda: later_s)
    monkeypatch.setattr(known, "_check", refuse)
    with pytest.raises(UnauthenticatedError):
        known.verify(token)


def test_only_the_newest_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "CACHE_SIZE", 2)
    looked = Checks(verifier())
    first, second, third = (SIGNER.sign(CLAIMS).reveal() for _ in range(3))
    for token in (first, second, third, third, second, first):
        looked.verifier.verify(token)
    assert looked.checked == [first, second, third, first]
