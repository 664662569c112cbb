"""What a PutFile request says beside its body.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/putfile
Collabora: https://sdk.collaboraonline.com/docs/step_by_step_tutorial.html#putfile
"""

from typing import Final

import msgspec

from genro_wopi.protocol import headers as names
from genro_wopi.protocol.decimals import parse_decimal
from genro_wopi.protocol.headers import cool_header, is_true
from genro_wopi.protocol.proof import parse_ticks

EDITORS_LENGTH_MAX: Final = 4096
"""Characters of X-WOPI-Editors that are kept."""

COOL_STATUS_DOC_CHANGED: Final = 1010
"""Collabora shows its conflict dialog for this status in a 409's body."""


class PutFileHeaders(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of one PutFile, read once."""

    timestamp: str | None
    """LastModifiedTime on which the client's bytes are based; None: the user chose to overwrite."""
    attempt: int
    """The client's own time of sending in ticks; 0 where it sends none."""
    is_modified_by_user: bool | None
    is_autosave: bool
    is_exit_save: bool
    editors: tuple[str, ...]
    size_bytes: int | None
    """X-WOPI-Size; None where absent or not a number."""


def parse_put_file_headers(headers: dict[str, str]) -> PutFileHeaders:
    """Read the headers of a PutFile request; their names are lower case."""
    modified = cool_header(headers, "ismodifiedbyuser")
    if modified is None and "x-lool-wopi-timestamp" in headers:
        modified = "false"  # OnlyOffice leaves out what is false.
    size = headers.get(names.SIZE.lower(), "")
    editors = headers.get(names.EDITORS.lower(), "")[:EDITORS_LENGTH_MAX]
    return PutFileHeaders(
        timestamp=cool_header(headers, "timestamp") or None,
        attempt=parse_ticks(headers.get(names.TIMESTAMP.lower(), "")) or 0,
        is_modified_by_user=None if modified is None else is_true(modified),
        is_autosave=is_true(cool_header(headers, "isautosave")),
        is_exit_save=is_true(cool_header(headers, "isexitsave")),
        editors=tuple(e.strip() for e in editors.split(",") if e.strip()),
        size_bytes=parse_decimal(size),
    )
