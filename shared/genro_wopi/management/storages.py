"""Storages and the files in them."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from genro_wopi.domain.storages import StorageProtocol
from genro_wopi.management.operation import Content, Nothing, Operation

Config = dict[str, str | bool | None]


class StoragePut(msgspec.Struct, frozen=True, kw_only=True):
    """A storage to create, or to replace where it exists."""

    name: str
    protocol: StorageProtocol
    config: Config
    """local: base_path. s3: bucket, prefix, endpoint_url, region, access_key_id, secret_access_key,
    path_style."""
    tenant_id: str | None = None


class StoragePatch(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of a storage's configuration; an explicit null clears a field."""

    name: str
    config: Config | UnsetType = UNSET
    tenant_id: str | None = None


class StorageRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which storage."""

    name: str
    tenant_id: str | None = None


class StorageListRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Whose storages."""

    tenant_id: str | None = None


class ProbeView(msgspec.Struct, frozen=True, kw_only=True):
    """What a storage can really do."""

    storage_class: str
    versioned: bool
    findings: list[str]
    probed_at: str


class StorageView(msgspec.Struct, frozen=True, kw_only=True):
    """A storage, without its secrets."""

    name: str
    tenant_id: str
    protocol: StorageProtocol
    config: dict[str, str | bool]
    probe: ProbeView | None
    created_at: str
    updated_at: str


class StorageList(msgspec.Struct, frozen=True, kw_only=True):
    """All storages of a tenant."""

    items: list[StorageView]
    next_cursor: str | None = None


class FolderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which folder to list."""

    name: str
    path: str = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000
    tenant_id: str | None = None


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder."""

    name: str
    path: str
    is_folder: bool
    size: int
    modified_at: str | None


class FolderView(msgspec.Struct, frozen=True, kw_only=True):
    """A folder's entries."""

    items: list[EntryView]
    next_cursor: str | None = None


class FileRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which file."""

    name: str
    path: str
    tenant_id: str | None = None


class FileCreate(msgspec.Struct, frozen=True, kw_only=True):
    """A new file."""

    name: str
    path: str
    template: str | None = None
    """docx, xlsx, pptx, odt, ods, odp, txt, md, csv; by the path's extension where left out."""
    tenant_id: str | None = None


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file."""

    path: str
    file_id: str
    size: int
    version: str
    last_modified: str
    sha256: str


class FileContent(msgspec.Struct, frozen=True):
    """A document's bytes; streamed, never held."""


STORAGES_PUT: Final = Operation(
    name="storages.put",
    method="POST",
    path="/api/storages",
    summary="Register a storage; replaces it where it exists (200). It is probed at once.",
    request=StoragePut,
    response=StorageView,
    status=201,
)
STORAGES_LIST: Final = Operation(
    name="storages.list",
    method="GET",
    path="/api/storages",
    summary="List storages.",
    request=StorageListRequest,
    response=StorageList,
)
STORAGES_GET: Final = Operation(
    name="storages.get",
    method="GET",
    path="/api/storages/{name}",
    summary="Show a storage.",
    request=StorageRef,
    response=StorageView,
)
STORAGES_UPDATE: Final = Operation(
    name="storages.update",
    method="PATCH",
    path="/api/storages/{name}",
    summary="Change a storage's configuration.",
    request=StoragePatch,
    response=StorageView,
)
STORAGES_DELETE: Final = Operation(
    name="storages.delete",
    method="DELETE",
    path="/api/storages/{name}",
    summary="Forget a storage; its files stay.",
    request=StorageRef,
    response=Nothing,
    status=204,
)
STORAGES_PROBE: Final = Operation(
    name="storages.probe",
    method="POST",
    path="/api/storages/{name}/probe",
    summary="Try what a storage can really do.",
    request=StorageRef,
    response=ProbeView,
)
FILES_LIST: Final = Operation(
    name="files.list",
    method="GET",
    path="/api/storages/{name}/files",
    summary="List a folder.",
    request=FolderRequest,
    response=FolderView,
)
FILES_CREATE: Final = Operation(
    name="files.create",
    method="POST",
    path="/api/storages/{name}/files",
    summary="Create a file from a template.",
    request=FileCreate,
    response=FileView,
    status=201,
)
FILES_UPLOAD: Final = Operation(
    name="files.upload",
    method="PUT",
    path="/api/storages/{name}/files/content",
    summary="Upload a file; If-None-Match: * refuses to replace one, If-Match names the version.",
    request=FileRef,
    response=FileView,
    content=Content.UPLOAD,
)
FILES_DOWNLOAD: Final = Operation(
    name="files.download",
    method="GET",
    path="/api/storages/{name}/files/content",
    summary="Download a file.",
    request=FileRef,
    response=FileContent,
    content=Content.DOWNLOAD,
)
