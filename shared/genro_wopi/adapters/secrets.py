"""The ring of encryption keys: AES-256-GCM for every secret field.

``enc:v1:<kid>:<base64(nonce + ciphertext)>``, bound to its place by the associated data. The first
key encrypts, all decrypt, so that keys can be rotated.
"""

import base64
import binascii
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from genro_wopi.domain.secrets import Sealed, Secret, UnreadableSecretError

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_PREFIX: Final = "enc:v1"


class AesGcmRing:
    """Implements `SecretRing`."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """Take the keys.

        Args:
            keys: key id and 32 bytes; the first encrypts.

        Raises:
            ValueError: there is none, or one has another length.
        """
        if not keys or any(len(key) != KEY_BYTES for _, key in keys):
            raise ValueError(f"encryption keys have {KEY_BYTES} bytes each")
        self._first = keys[0][0]
        self._ciphers = {kid: AESGCM(key) for kid, key in keys}

    def seal(self, secret: Secret, *, context: str) -> Sealed:
        """See SecretRing."""
        nonce = os.urandom(_NONCE_BYTES)
        cipher = self._ciphers[self._first]
        box = nonce + cipher.encrypt(nonce, secret.reveal().encode(), context.encode())
        return Sealed(f"{_PREFIX}:{self._first}:{base64.b64encode(box).decode()}")

    def is_newest(self, sealed: Sealed) -> bool:
        """See SecretRing."""
        return sealed.startswith(f"{_PREFIX}:{self._first}:")

    def open(self, sealed: Sealed, *, context: str) -> Secret:
        """See SecretRing."""
        prefix, _, rest = sealed.rpartition(":")
        kid = prefix.removeprefix(f"{_PREFIX}:")
        cipher = self._ciphers.get(kid)
        if cipher is None or not prefix.startswith(f"{_PREFIX}:"):
            raise UnreadableSecretError(f"no key {kid!r} in WOPI_ENCRYPTION_KEYS")
        try:
            box = base64.b64decode(rest, validate=True)
            clear = cipher.decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], context.encode())
        except (binascii.Error, InvalidTag, ValueError) as error:
            raise UnreadableSecretError(f"a secret of {context} was moved or changed") from error
        return Secret(clear.decode())
