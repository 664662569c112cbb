"""Where a list goes on, as it is given to clients and comes back from them.

A cursor that says more than a number is sealed by the ring: a client sees nothing of it, changes
nothing in it, and can show it only to the operation, the tenant and the place that gave it.
"""

from typing import Final, NoReturn

from genro_wopi.domain.errors import FieldError, InvalidFieldsError
from genro_wopi.domain.secrets import Sealed, Secret, SecretRing, UnreadableSecretError

CURSOR_SIZE_MAX: Final = 64 * 1024
"""Characters of a sealed cursor."""

PLAIN_SIZE_MAX: Final = 40 * 1024
"""Bytes of what is sealed: encrypted and in base64 it stays below `CURSOR_SIZE_MAX`."""

POSITION_DIGITS_MAX: Final = 9

_URL_SAFE: Final = str.maketrans("+/", "-_")
_AS_SEALED: Final = str.maketrans("-_", "+/")
_PREFIX: Final = "enc:"


def seal_cursor(ring: SecretRing, place: str, *, context: str) -> str:
    """Write a cursor; empty where there is no place to go on from.

    Args:
        ring: seals it.
        place: where the list goes on.
        context: operation, tenant and what else it belongs to.
    """
    if not place:
        return ""
    kind, _, box = ring.seal(Secret(place), context=f"cursor/{context}").rpartition(":")
    return f"{kind.removeprefix(_PREFIX)}:{box.translate(_URL_SAFE)}"


def open_cursor(ring: SecretRing, cursor: str, *, context: str) -> str:
    """Read a cursor; an empty one is the beginning.

    Raises:
        InvalidFieldsError: this operation did not give it for this tenant and place.
    """
    if not cursor:
        return ""
    if len(cursor) > CURSOR_SIZE_MAX or not cursor.isascii():
        _refuse()
    kind, _, box = cursor.rpartition(":")
    sealed = Sealed(f"{_PREFIX}{kind}:{box.translate(_AS_SEALED)}")
    try:
        return ring.open(sealed, context=f"cursor/{context}").reveal()
    except UnreadableSecretError:
        _refuse()


def position(cursor: str) -> int:
    """Read a cursor that is a number of items; an empty one is the beginning.

    Raises:
        InvalidFieldsError: it is none.
    """
    is_number = cursor.isascii() and cursor.isdigit() and len(cursor) <= POSITION_DIGITS_MAX
    if cursor and not is_number:
        _refuse()
    return int(cursor or 0)


def _refuse() -> NoReturn:
    problem = "it is not one that this list gave; begin again without a cursor"
    raise InvalidFieldsError((FieldError("cursor", problem),))
