"""What gateway and session-service say to each other about a page that shows an editor."""

import msgspec

from genro_wopi.protocol.check_file_info import EditorKind


class LaunchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A launch page that is opened."""

    code: str
    shown: str = ""
    """What the browser keeps of an opening before; empty for nothing."""
    given: str = ""
    """What it keeps from now on, where it is the first to open the page."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What the page needs; it goes to the gateway only."""

    file_name: str
    access_token: str
    access_token_ttl: int
    """When the session ends unless it is renewed, in milliseconds since 1970."""
    idle_ms: int
    """How long the session lives unused."""
    editor_url: str | None
    """None while no editor opens this type of file, or it does not answer."""
    editor_name: str | None
    kind: EditorKind
    ui_defaults: str | None
    theme: str | None
    frame_ancestors: list[str]
    can_edit: bool


class TokenRenewal(msgspec.Struct, frozen=True, kw_only=True):
    """A page that wants a new token for the one that it has."""

    access_token: str
