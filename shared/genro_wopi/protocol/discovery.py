"""The discovery document: what an editor can open, at which address, and how it signs.

``GET {editor}/hosting/discovery`` answers XML: wopi-discovery / net-zone / app / action, and one
proof-key. Parsing refuses entities and documents that are too large or hold no action.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/online/discovery
"""

from typing import TYPE_CHECKING, Final

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from genro_wopi.protocol.proof import ProofKeys, PublicKey

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DISCOVERY_SIZE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Microsoft 365's document is about 300 kB."""

ACTIONS_MAX: Final = 20_000


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


def parse_discovery(document: bytes) -> Discovery:
    """Read a discovery document.

    Raises:
        InvalidDiscoveryError: it is too large, not XML, not a discovery, or has no action.
    """
    if len(document) > DISCOVERY_SIZE_BYTES_MAX:
        raise InvalidDiscoveryError(f"it is larger than {DISCOVERY_SIZE_BYTES_MAX} bytes")
    try:
        root: Element = fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise InvalidDiscoveryError(f"it is not well-formed XML: {error}") from error
    if root.tag != "wopi-discovery":
        raise InvalidDiscoveryError(f"its root element is <{root.tag}>, not <wopi-discovery>")
    actions = tuple(_actions(root))
    if not actions:
        raise InvalidDiscoveryError("it names no action")
    if len(actions) > ACTIONS_MAX:
        raise InvalidDiscoveryError(f"it names more than {ACTIONS_MAX} actions")
    return Discovery(actions=actions, proof_keys=_proof_keys(root.find("proof-key")))


def _actions(root: "Element") -> list[Action]:
    found: list[Action] = []
    for app in root.iterfind("./net-zone/app"):
        for action in app.iterfind("action"):
            name, urlsrc = action.get("name", ""), action.get("urlsrc", "")
            if name and urlsrc.startswith(("http://", "https://")):
                ext = action.get("ext", "").lower().lstrip(".")
                found.append(Action(name=name, ext=ext, app=app.get("name", ""), urlsrc=urlsrc))
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
    return PublicKey(*numbers) if all(numbers) else None
