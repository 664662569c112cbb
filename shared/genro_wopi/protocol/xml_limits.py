"""How large XML from outside may be: a small document can become a large tree."""

from typing import Final

import msgspec

_ELEMENT_BYTES: Final = ord("<")


class XmlLimits(msgspec.Struct, frozen=True):
    """Of one document."""

    bytes_max: int
    elements_max: int
    """Each takes some 200 bytes in memory, and may be 4 bytes long."""


def require_bounded(document: bytes | bytearray, limits: XmlLimits) -> None:
    """Refuse a document that is too large to be parsed.

    Each element has at least one `<`; an end tag has another one.

    Raises:
        ValueError: it has too many bytes or tags.
    """
    if len(document) > limits.bytes_max:
        raise ValueError(f"it is larger than {limits.bytes_max} bytes")
    if document.count(_ELEMENT_BYTES) > 2 * limits.elements_max:
        raise ValueError(f"it has more than {limits.elements_max} elements")
