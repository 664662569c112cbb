"""Which action of an editor opens a file, and the address that starts it.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/online/discovery#action-urls
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.protocol.discovery import Action

EDIT_ACTIONS: Final = ("edit", "convert", "view_comment", "mobileEdit", "view")
"""``convert`` makes a new file in a current format from a legacy one and goes on with that."""

VIEW_ACTIONS: Final = ("view", "view_comment", "mobileView", "edit")
"""Collabora lists only ``edit`` for what it can edit; it shows it read-only to others."""

NEW_FILE_ACTIONS: Final = ("editnew", *EDIT_ACTIONS)
"""``editnew`` fills a file of 0 bytes with the editor's own empty document."""

_PLACEHOLDER: Final = re.compile(r"<([^<>=]+)=([^<>&]+)(&?)>")


def choose_action(
    actions: Sequence[Action], *, extension: str, mime_type: str, wants_edit: bool, is_empty: bool
) -> Action | None:
    """Pick the action for a file: by extension, then by mime type; None where nothing fits.

    Args:
        actions: what the editor published.
        extension: of the file's name, lower case, without a dot.
        mime_type: of the file; Collabora names its apps so.
        wants_edit: whether the session has the right to edit.
        is_empty: whether the file has 0 bytes.
    """
    order = VIEW_ACTIONS
    if wants_edit:
        order = NEW_FILE_ACTIONS if is_empty else EDIT_ACTIONS
    by_extension = {a.name: a for a in reversed(actions) if a.ext and a.ext == extension}
    by_mime_type = {a.name: a for a in reversed(actions) if a.app == mime_type}
    for found in (by_extension, by_mime_type):
        for name in order:
            if name in found:
                return found[name]
    return None


def ttl_for_editor(kind: EditorKind, ends_ms: int) -> int:
    """Return what an editor is told as ``access_token_ttl``, ms since 1970; 0 for nothing.

    Collabora warns people a quarter of an hour before it, though the token was renewed meanwhile.
    """
    return 0 if kind is EditorKind.COLLABORA else ends_ms


def build_editor_url(urlsrc: str, wopi_src: str, placeholders: Mapping[str, str]) -> str:
    """Fill the placeholders of an action's ``urlsrc`` and add WOPISrc.

    Args:
        urlsrc: as discovery gives it, with ``<name=PLACEHOLDER&>`` parts.
        wopi_src: address of the file at this host; it is percent-encoded here.
        placeholders: value by placeholder name (``UI_LLCC``); others are dropped whole.
    """

    def fill(match: re.Match[str]) -> str:
        name, placeholder, separator = match.groups()
        value = wopi_src if placeholder == "WOPI_SOURCE" else placeholders.get(placeholder)
        return f"{name}={quote(value, safe='')}{separator}" if value else ""

    names_source = any(m[1] == "WOPI_SOURCE" for m in _PLACEHOLDER.findall(urlsrc))
    url = _PLACEHOLDER.sub(fill, urlsrc)
    if not names_source:
        if "?" not in url:
            url += "?"
        elif not url.endswith(("?", "&")):
            url += "&"
        url += f"WOPISrc={quote(wopi_src, safe='')}"
    return url.rstrip("&")
