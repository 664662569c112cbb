"""A tenant's templates of the addresses that editors show: where a file is edited, viewed, shared.

``https://app.example.com/edit?path={file_path}`` becomes an address by filling in what is known of
the file and the session, URL-encoded.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from genro_wopi.domain.field_types import AddressText
from genro_wopi.domain.templates import filled, placeholder_problem

PLACEHOLDERS: Final = frozenset(
    {"tenant_id", "storage_name", "file_path", "file_name", "file_id", "session_id", "user_id"}
)


class HostUrls(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Templates by what they are for; those left out are not offered to the editor."""

    host_edit_url: AddressText | None = None
    host_view_url: AddressText | None = None
    close_url: AddressText | None = None
    file_sharing_url: AddressText | None = None
    share_url_read_only: AddressText | None = None
    """Answer to GetShareUrl of type ReadOnly."""
    share_url_read_write: AddressText | None = None
    """Answer to GetShareUrl of type ReadWrite."""
    breadcrumb_brand_name: AddressText | None = None
    breadcrumb_brand_url: AddressText | None = None
    breadcrumb_folder_url: AddressText | None = None


def template_problem(template: str) -> str | None:
    """Say what is wrong with a template; None when nothing is."""
    problem = placeholder_problem(template, PLACEHOLDERS)
    if problem is None and not template.startswith(("https://", "http://")):
        problem = "use an absolute http(s) address"
    return problem


def filled_url(template: str, values: Mapping[str, str]) -> str:
    """Fill a template that was checked before."""
    return filled(template, {name: quote(value, safe="") for name, value in values.items()})
