"""Access tokens: JWT signed with Ed25519 by the session-service alone.

A token names one session and one file. The algorithm and the type are pinned; ``kid`` is only a
key into our own set. It holds no letters that Collabora would mangle (base64url and dots).
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from genro_wopi.domain.access_tokens import AccessClaims, Grant
from genro_wopi.domain.errors import UnauthenticatedError
from genro_wopi.domain.identifiers import FileId, SessionId, TenantId
from genro_wopi.domain.secrets import Secret

ALGORITHM: Final = "EdDSA"
TYPE: Final = "wopi+jwt"
ISSUER: Final = "genro-wopi"
AUDIENCE: Final = "wopi"
TOKEN_LENGTH_MAX: Final = 1500
"""Microsoft 365 cuts longer ones."""

USER_LENGTH_MAX: Final = 100
"""Characters of the person's name that a token carries."""

CACHE_SIZE: Final = 8192
CACHE_TTL_S: Final = 60.0

_REQUIRED: Final = ["exp", "iss", "aud", "sid", "fid", "tid", "jti"]


class JwtSigner:
    """Implements `TokenSigner`; holds the private key."""

    def __init__(self, kid: str, key: Ed25519PrivateKey) -> None:
        self._kid = kid
        self._key = key

    def sign(self, claims: AccessClaims) -> Secret:
        """See TokenSigner."""
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sid": claims.session_id,
            "fid": claims.file_id,
            "tid": claims.tenant_id,
            "edr": claims.editor,
            "edk": claims.editor_kind,
            "edit": claims.can_edit,
            "usr": claims.user[:USER_LENGTH_MAX],
            "exp": claims.expires_us // 1_000_000,
            "jti": secrets.token_urlsafe(9),
        }
        if claims.is_unsigned:
            payload["uns"] = True
        if claims.address:
            payload["adr"] = claims.address
        if claims.parent:
            payload["par"] = claims.parent
        if claims.grant:
            payload["grt"] = claims.grant
        headers = {"kid": self._kid, "typ": TYPE}
        return Secret(jwt.encode(payload, self._key, algorithm=ALGORITHM, headers=headers))


class JwtVerifier:
    """Implements `TokenVerifier`; a token that was checked counts for a minute."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        self._keys = dict(keys)
        self._cache: OrderedDict[str, tuple[float, AccessClaims]] = OrderedDict()

    def verify(self, token: str) -> AccessClaims:
        """Return what a token says.

        Raises:
            UnauthenticatedError: it is missing, malformed, expired, or not signed by us.
        """
        now_s = time.monotonic()
        cached = self._cache.get(token)
        if cached is not None and cached[0] > now_s:
            return cached[1]
        claims = self._check(token)
        left_s = claims.expires_us / 1_000_000 - time.time()
        self._cache[token] = (now_s + min(CACHE_TTL_S, left_s), claims)
        if len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)
        return claims

    def _check(self, token: str) -> AccessClaims:
        if not token or len(token) > TOKEN_LENGTH_MAX:
            raise _refused()
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get(str(header.get("kid", "")))
            if key is None or header.get("typ") != TYPE:
                raise _refused()
            payload = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": _REQUIRED},
            )
            claims = msgspec.convert(payload, _Payload)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError) as error:
            raise _refused() from error
        return AccessClaims(
            session_id=SessionId(claims.sid),
            file_id=FileId(claims.fid),
            tenant_id=TenantId(claims.tid),
            editor=claims.edr,
            editor_kind=claims.edk,
            can_edit=claims.edit,
            user=claims.usr,
            expires_us=claims.exp * 1_000_000,
            address=claims.adr,
            parent=SessionId(claims.par),
            grant=claims.grt,
            is_unsigned=claims.uns,
        )


class _Payload(msgspec.Struct, frozen=True):
    sid: str
    fid: str
    tid: str
    exp: int
    edr: str = ""
    edk: str = ""
    edit: bool = False
    usr: str = ""
    adr: str = ""
    par: str = ""
    grt: Grant | None = None
    uns: bool = False


def _refused() -> UnauthenticatedError:
    return UnauthenticatedError("The access token is missing, wrong or expired.")


def public_keys(keys: Sequence[tuple[str, bytes]]) -> dict[str, Ed25519PublicKey]:
    """Turn configured public keys into usable ones."""
    return {kid: Ed25519PublicKey.from_public_bytes(raw) for kid, raw in keys}


def signer(keys: Sequence[tuple[str, bytes]]) -> JwtSigner:
    """Return a signer with the first of the configured private keys."""
    kid, raw = keys[0]
    return JwtSigner(kid, Ed25519PrivateKey.from_private_bytes(raw))


def own_verifier(keys: Sequence[tuple[str, bytes]]) -> JwtVerifier:
    """Return a verifier of what any of the configured private keys signed."""
    private = {kid: Ed25519PrivateKey.from_private_bytes(raw) for kid, raw in keys}
    return JwtVerifier({kid: key.public_key() for kid, key in private.items()})
