"""The discovery document: what an editor can open, at which address, and how it signs.

``GET {editor}/hosting/discovery`` answers XML: wopi-discovery / net-zone / app / action, and one
proof-key. Parsing refuses entities and documents that are too large or hold no action.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/online/discovery
"""

from typing import TYPE_CHECKING, Final

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from genro_wopi.protocol.proof import KEY_BITS_MAX, ProofKeys, PublicKey, is_bounded
from genro_wopi.protocol.web_address import origin_of
from genro_wopi.protocol.xml_limits import XmlLimits, require_bounded

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DISCOVERY_SIZE_BYTES_MAX: Final = 2 * 1024 * 1024
"""Microsoft 365's document is about 300 kB."""

ACTIONS_MAX: Final = 10_000
LIMITS: Final = XmlLimits(DISCOVERY_SIZE_BYTES_MAX, 2 * ACTIONS_MAX)
URLSRC_LENGTH_MAX: Final = 4000
FIELD_LENGTH_MAX: Final = 200
"""Of a name, an extension, a mime type."""


class InvalidDiscoveryError(ValueError):
    """The document is not a usable discovery; the message says what is wrong with it."""


class Action(msgspec.Struct, frozen=True):
    """One thing that the editor can do with one type of file."""

    name: str
    """view, edit, editnew, convert, mobileEdit …"""
    ext: str
    """Lower case, without a dot; empty for an action found by mime type."""
    app: str
    """Name of the application; Collabora also uses mime types here."""
    urlsrc: str


class Discovery(msgspec.Struct, frozen=True):
    """What one discovery document says."""

    actions: tuple[Action, ...]
    proof_keys: ProofKeys | None
    dropped: int = 0
    """Actions without a name, or whose address no browser may be sent to."""


def parse_discovery(document: bytes) -> Discovery:
    """Read a discovery document.

    Raises:
        InvalidDiscoveryError: it is too large, not XML, not a discovery, or has no action.
    """
    try:
        require_bounded(document, LIMITS)
    except ValueError as error:
        raise InvalidDiscoveryError(str(error)) from error
    try:
        root: Element = fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise InvalidDiscoveryError(f"it is not well-formed XML: {error}") from error
    if root.tag != "wopi-discovery":
        raise InvalidDiscoveryError(f"its root element is <{root.tag}>, not <wopi-discovery>")
    actions = tuple(_actions(root))
    if not actions:
        raise InvalidDiscoveryError("it names no action with an http(s) address")
    if len(actions) > ACTIONS_MAX:
        raise InvalidDiscoveryError(f"it names more than {ACTIONS_MAX} actions")
    dropped = sum(1 for _ in root.iterfind("./net-zone/app/action")) - len(actions)
    keys = _proof_keys(root.find("proof-key"))
    return Discovery(actions=actions, proof_keys=keys, dropped=dropped)


def _actions(root: "Element") -> list[Action]:
    found: list[Action] = []
    for app in root.iterfind("./net-zone/app"):
        for action in app.iterfind("action"):
            name, urlsrc = action.get("name", "")[:FIELD_LENGTH_MAX], action.get("urlsrc", "")
            is_address = len(urlsrc) <= URLSRC_LENGTH_MAX and origin_of(urlsrc) is not None
            if name and is_address:
                ext = action.get("ext", "").lower().lstrip(".")[:FIELD_LENGTH_MAX]
                found.append(
                    Action(
                        name=name,
                        ext=ext,
                        app=app.get("name", "")[:FIELD_LENGTH_MAX],
                        urlsrc=urlsrc,
                    )
                )
    return found


def _proof_keys(element: "Element | None") -> ProofKeys | None:
    if element is None:
        return None
    current = _key(element, "modulus", "exponent")
    if current is None:
        return None
    return ProofKeys(current=current, old=_key(element, "oldmodulus", "oldexponent"))


def _key(element: "Element", modulus: str, exponent: str) -> PublicKey | None:
    numbers = element.get(modulus, ""), element.get(exponent, "")
    if not all(numbers):
        return None
    key = PublicKey(*numbers)
    if not is_bounded(key):
        raise InvalidDiscoveryError(f"its proof key has more than {KEY_BITS_MAX} bits")
    return key
