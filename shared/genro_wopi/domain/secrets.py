"""Values that must never be shown, as a type, so that they cannot be forgotten.

A `Secret` prints as ``***`` wherever it is formatted, logged or shown in a traceback. At rest it is
a `Sealed` string: AES-256-GCM, bound to the tenant, record and field that it belongs to.
"""

from typing import NewType, Protocol

Sealed = NewType("Sealed", str)
"""``enc:v1:<kid>:<base64>``."""


class Secret:
    """A secret in clear, for the moment in which it is used."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value; call it only where it leaves for its purpose."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class SecretRing(Protocol):
    """Seals and opens secrets."""

    def seal(self, secret: Secret, *, context: str) -> Sealed:
        """Encrypt under the first key of the ring; `context` names tenant, record and field."""
        ...

    def is_newest(self, sealed: Sealed) -> bool:
        """Tell whether a value is encrypted under the first key of the ring."""
        ...

    def open(self, sealed: Sealed, *, context: str) -> Secret:
        """Decrypt.

        Raises:
            UnreadableSecretError: the key is missing, or the value was moved or changed.
        """
        ...


class UnreadableSecretError(Exception):
    """A sealed value does not open: a missing key, or a value that belongs elsewhere."""
