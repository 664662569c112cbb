"""Files and folders of a storage."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from genro_wopi.domain.callers import Scope
from genro_wopi.domain.field_types import PathText, ShortText
from genro_wopi.management.operation import Content, Nothing, Operation, Page, SealedCursor


class FolderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which folder to list."""

    name: ShortText
    path: PathText = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000
    cursor: SealedCursor = ""
    tenant_id: ShortText | None = None


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

    name: ShortText
    path: PathText
    tenant_id: ShortText | None = None


class FileCreate(msgspec.Struct, frozen=True, kw_only=True):
    """A new file."""

    name: ShortText
    path: PathText
    template: PathText | None = None
    """docx, xlsx, pptx, odt, ods, odp, txt, md, csv; by the path's extension where left out."""
    tenant_id: ShortText | None = None


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file."""

    path: str
    file_id: str
    size: int
    version: str
    last_modified: str
    sha256: str


class FileDownload(msgspec.Struct, frozen=True, kw_only=True):
    """Which file, and which of its versions."""

    name: ShortText
    path: PathText
    version: ShortText | None = None
    """The newest where left out."""
    tenant_id: ShortText | None = None


class DeletedRequest(Page, frozen=True, kw_only=True):
    """Whose deleted files."""

    name: ShortText
    cursor: SealedCursor = ""
    tenant_id: ShortText | None = None


class DeletedView(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted file that can be taken back."""

    file_id: str
    path: str
    """Where it lay."""
    deleted_at: str


class DeletedList(msgspec.Struct, frozen=True, kw_only=True):
    """Deleted files, the oldest first."""

    items: list[DeletedView]
    next_cursor: str | None = None


class Undelete(msgspec.Struct, frozen=True, kw_only=True):
    """Which deleted file is taken back, and where to."""

    name: ShortText
    file_id: ShortText
    path: PathText | None = None
    """Where it lay where left out; a name that is taken gets a number."""
    tenant_id: ShortText | None = None


class Undeleted(msgspec.Struct, frozen=True, kw_only=True):
    """Where a file lies that was taken back."""

    path: str
    file_id: str


class VersionsRequest(Page, frozen=True, kw_only=True):
    """Whose versions."""

    name: ShortText
    path: PathText
    tenant_id: ShortText | None = None


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a file."""

    version: str
    size: int
    last_modified: str
    sha256: str | None
    """None for bytes that another program wrote."""
    is_current: bool


class VersionList(msgspec.Struct, frozen=True, kw_only=True):
    """A file's versions, the newest first."""

    items: list[VersionView]
    next_cursor: str | None = None


class FileRestore(msgspec.Struct, frozen=True, kw_only=True):
    """Which version becomes the newest again."""

    name: ShortText
    path: PathText
    version: ShortText
    tenant_id: ShortText | None = None


class FolderCreate(msgspec.Struct, frozen=True, kw_only=True):
    """A new folder."""

    name: ShortText
    path: PathText
    tenant_id: ShortText | None = None


class FolderCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that was made."""

    path: str


class FileContent(msgspec.Struct, frozen=True):
    """A document's bytes; streamed, never held."""


FILES_LIST: Final = Operation(
    name="files.list",
    method="GET",
    path="/api/storages/{name}/files",
    summary="List a folder.",
    request=FolderRequest,
    response=FolderView,
    scope=Scope.FILES_READ,
)
FILES_CREATE: Final = Operation(
    name="files.create",
    method="POST",
    path="/api/storages/{name}/files",
    summary="Create a file from a template.",
    request=FileCreate,
    response=FileView,
    scope=Scope.FILES_WRITE,
    status=201,
    arguments=("path",),
)
FILES_UPLOAD: Final = Operation(
    name="files.upload",
    method="PUT",
    path="/api/storages/{name}/files/content",
    summary="Upload a file; If-None-Match: * refuses to replace one, If-Match names the version.",
    request=FileRef,
    response=FileView,
    scope=Scope.FILES_WRITE,
    content=Content.UPLOAD,
    arguments=("path",),
)
FILES_DOWNLOAD: Final = Operation(
    name="files.download",
    method="GET",
    path="/api/storages/{name}/files/content",
    summary="Download a file, or one of its versions.",
    request=FileDownload,
    response=FileContent,
    scope=Scope.FILES_READ,
    content=Content.DOWNLOAD,
    arguments=("path",),
)
FILES_DELETE: Final = Operation(
    name="files.delete",
    method="DELETE",
    path="/api/storages/{name}/files",
    summary="Delete a file, which is kept for a while, or an empty folder.",
    request=FileRef,
    response=Nothing,
    scope=Scope.FILES_WRITE,
    status=204,
    arguments=("path",),
)
FILES_VERSIONS: Final = Operation(
    name="files.versions",
    method="GET",
    path="/api/storages/{name}/files/versions",
    summary="List a file's versions.",
    request=VersionsRequest,
    response=VersionList,
    scope=Scope.FILES_READ,
    arguments=("path",),
)
FILES_RESTORE: Final = Operation(
    name="files.restore",
    method="POST",
    path="/api/storages/{name}/files/restore",
    summary="Make an older version the newest again; refused while somebody edits the file.",
    request=FileRestore,
    response=FileView,
    scope=Scope.FILES_WRITE,
    arguments=("path", "version"),
)
FOLDERS_CREATE: Final = Operation(
    name="folders.create",
    method="POST",
    path="/api/storages/{name}/folders",
    summary="Make a folder.",
    request=FolderCreate,
    response=FolderCreated,
    scope=Scope.FILES_WRITE,
    status=201,
    arguments=("path",),
)

FILES_DELETED: Final = Operation(
    name="files.deleted",
    method="GET",
    path="/api/storages/{name}/files/deleted",
    summary="List deleted files that can be taken back.",
    request=DeletedRequest,
    response=DeletedList,
    scope=Scope.FILES_READ,
)
FILES_UNDELETE: Final = Operation(
    name="files.undelete",
    method="POST",
    path="/api/storages/{name}/files/undelete",
    summary="Take a deleted file back, with its id and its versions.",
    request=Undelete,
    response=Undeleted,
    scope=Scope.FILES_WRITE,
    arguments=("file_id",),
)
