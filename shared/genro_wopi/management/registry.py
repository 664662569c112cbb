"""The registry of files: compared with what lies in the storages, taken along, brought back."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from genro_wopi.domain.callers import Scope
from genro_wopi.domain.field_types import PathText, ShortText
from genro_wopi.management.operation import Operation, SealedCursor

FILES_AT_ONCE: Final = 1000


class Problem(StrEnum):
    """What a check found."""

    UNREGISTERED = "unregistered"
    """The bytes name an id that the registry does not have, as after a loss of Redis."""
    OTHER_ID = "other_id"
    """The bytes name another id than the registry has: a copy, or used before it was repaired."""
    OUTDATED = "outdated"
    """The registry's newest version is not the storage's."""
    MISSING = "missing"
    """The registry has a file that the storage has not."""
    DELETED = "deleted"
    """A deleted file that could not be taken back: the registry did not know of it."""
    RECOVERY = "recovery"
    """A recovery copy that was not listed."""
    BAD_RECORD = "bad_record"
    """A record of the host's that does not count: it cannot be read, or is another tenant's."""
    UNREADABLE = "unreadable"
    """The storage says of this file or folder what cannot be."""
    TOO_DEEP = "too_deep"
    """A folder that lies too deep to be looked into."""


class StorageCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Which storage is checked, and from where on."""

    name: ShortText
    repair: bool = False
    cursor: SealedCursor = ""
    """As the answer before gave it; a check of a large storage is many calls."""
    limit: Annotated[int, Meta(ge=1, le=FILES_AT_ONCE)] = 200
    tenant_id: ShortText | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One disagreement."""

    problem: Problem
    path: str
    file_id: str
    repaired: bool


class StorageChecked(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the check."""

    items: list[Finding]
    checked: int
    """Files that were looked at in this part."""
    next_cursor: str | None


class RegistryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Whose files."""

    cursor: SealedCursor = ""
    limit: Annotated[int, Meta(ge=1, le=FILES_AT_ONCE)] = FILES_AT_ONCE
    tenant_id: ShortText | None = None


class RegisteredFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the registry."""

    file_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{2}[A-Za-z0-9_-]{22}$", max_length=24)]
    storage_name: ShortText
    path: PathText


class RegistryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the files, in no order; a page may be empty and still have a `next_cursor`."""

    items: list[RegisteredFile]
    next_cursor: str | None


IMPORT_BYTES_MAX: Final = 4 * 2**20
"""A thousand files with paths of a kilobyte, in JSON."""


class RegistryImport(msgspec.Struct, frozen=True, kw_only=True):
    """Files that get the ids that they had."""

    items: Annotated[list[RegisteredFile], Meta(max_length=FILES_AT_ONCE)]
    tenant_id: ShortText | None = None


class RegistryImported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    imported: int
    """Those that had this id already count too."""
    refused: list[RegisteredFile]
    """Their path has another id here, or their id another place; or their id is of a partition
    that is not in use, which only the operator's import takes into use."""


STORAGES_FSCK: Final = Operation(
    name="storages.fsck",
    method="POST",
    path="/api/storages/{name}/fsck",
    summary="Compare the registry with the storage; with repair, make it agree.",
    request=StorageCheck,
    response=StorageChecked,
    scope=Scope.STORAGES,
)
REGISTRY_EXPORT: Final = Operation(
    name="registry.export",
    method="GET",
    path="/api/registry",
    summary="Export which file has which id.",
    request=RegistryRequest,
    response=RegistryPage,
    scope=Scope.STORAGES,
)
REGISTRY_IMPORT: Final = Operation(
    name="registry.import",
    method="POST",
    path="/api/registry",
    summary="Import which file has which id, as exported.",
    request=RegistryImport,
    body_bytes_max=IMPORT_BYTES_MAX,
    response=RegistryImported,
    scope=Scope.STORAGES,
)
