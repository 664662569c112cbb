"""CheckFileInfo: what a file is and what this session may do with it.

`PROPERTIES` declares each property once: which kinds of editor read it and where its value comes
from. A property whose value is None is left out, as the reference wants for addresses; booleans
are never null.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/files/checkfileinfo
Collabora: https://sdk.collaboraonline.com/docs/advanced_integration.html#checkfileinfo-extended-response-properties
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from genro_wopi.protocol.field_types import OptionFields, OptionText
from genro_wopi.protocol.times import format_us


class EditorKind(StrEnum):
    """The families of WOPI clients whose habits differ."""

    COLLABORA = "collabora"
    ONLYOFFICE = "onlyoffice"
    M365 = "m365"
    GENERIC = "generic"


class SettingsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Collabora reads the settings of a person or of everybody."""

    uri: OptionText
    """Absolute address of a JSON file that Collabora fetches."""
    stamp: OptionText
    """Changes whenever the file does."""


class Presentation(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What an application decides for its session and the editor reads unchanged."""

    disable_print: bool = False
    disable_export: bool = False
    disable_copy: bool = False
    hide_print_option: bool = False
    hide_save_option: bool = False
    hide_export_option: bool = False
    enable_owner_termination: bool = False
    is_anonymous: bool = False
    is_admin: bool = False
    user_extra_info: OptionFields | None = None
    """Such as ``{"avatar": "https://…"}``."""
    template_source: OptionText | None = None
    user_settings: SettingsFile | None = None
    shared_settings: SettingsFile | None = None


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What CheckFileInfo is made from."""

    presentation: Presentation

    base_name: str
    extension: str
    """With its dot; empty for a name that has none."""
    owner_id: str
    size_bytes: int
    version: str
    last_modified_us: int
    sha256_base64: str | None
    user_id: str
    user_name: str
    can_edit: bool
    can_write_relative: bool
    can_rename: bool
    can_delete: bool
    has_containers: bool
    user_info: str | None
    share_url_types: list[str]
    can_comment: bool
    can_review: bool
    watermark_text: str | None
    post_message_origin: str | None
    close_url: str | None
    host_edit_url: str | None
    host_view_url: str | None
    file_sharing_url: str | None
    breadcrumb_brand_name: str | None
    breadcrumb_brand_url: str | None
    breadcrumb_folder_name: str | None
    breadcrumb_folder_url: str | None
    breadcrumb_doc_name: str | None
    file_url: str | None
    user_private_info: OptionFields | None
    server_private_info: OptionFields | None


PropertyValue = str | int | bool | dict[str, object] | list[str] | SettingsFile | None


class Property(msgspec.Struct, frozen=True):
    """One property of the answer."""

    name: str
    value: Callable[[FileFacts], PropertyValue]
    kinds: frozenset[EditorKind] | None = None
    """Which kinds of editor get it; None for all."""


NAME_LENGTH_MAX: Final = 255
"""Of a file's name; what is told is without its extension."""

_COLLABORA: Final = frozenset({EditorKind.COLLABORA})
_ONLYOFFICE: Final = frozenset({EditorKind.ONLYOFFICE})
_M365: Final = frozenset({EditorKind.M365, EditorKind.GENERIC})
_NOT_M365: Final = frozenset(set(EditorKind) - {EditorKind.M365})

PROPERTIES: Final = (
    Property("BaseFileName", lambda f: f.base_name),
    Property("OwnerId", lambda f: f.owner_id),
    Property("Size", lambda f: f.size_bytes),
    Property("UserId", lambda f: f.user_id),
    Property("Version", lambda f: f.version),
    Property("UserFriendlyName", lambda f: f.user_name),
    Property("LastModifiedTime", lambda f: format_us(f.last_modified_us)),
    Property("FileExtension", lambda f: f.extension or None),
    Property("SHA256", lambda f: f.sha256_base64),
    Property("UserCanWrite", lambda f: f.can_edit),
    Property("ReadOnly", lambda f: not f.can_edit),
    Property("UserCanNotWriteRelative", lambda f: not f.can_write_relative),
    Property("UserCanRename", lambda f: f.can_rename),
    Property("SupportsLocks", lambda _: True),
    Property("SupportsGetLock", lambda _: True),
    Property("SupportsExtendedLockLength", lambda _: True),
    Property("SupportsUpdate", lambda _: True),
    Property("SupportsRename", lambda _: True),
    Property("SupportsDeleteFile", lambda f: f.can_delete),
    Property("SupportsUserInfo", lambda f: not f.presentation.is_anonymous),
    Property("SupportsContainers", lambda f: f.has_containers),
    Property("SupportsEcosystem", lambda f: f.has_containers),
    Property("SupportsAddActivities", lambda _: True),
    Property("SupportedShareUrlTypes", lambda f: f.share_url_types),
    Property("UserInfo", lambda f: f.user_info),
    Property("IsAnonymousUser", lambda f: f.presentation.is_anonymous),
    Property("FileUrl", lambda f: f.file_url),
    Property("CloseUrl", lambda f: f.close_url),
    Property("FileSharingUrl", lambda f: f.file_sharing_url),
    Property("HostEditUrl", lambda f: f.host_edit_url),
    Property("HostViewUrl", lambda f: f.host_view_url),
    Property("BreadcrumbBrandName", lambda f: f.breadcrumb_brand_name),
    Property("BreadcrumbBrandUrl", lambda f: f.breadcrumb_brand_url),
    Property("BreadcrumbFolderName", lambda f: f.breadcrumb_folder_name),
    Property("BreadcrumbFolderUrl", lambda f: f.breadcrumb_folder_url),
    Property("BreadcrumbDocName", lambda f: f.breadcrumb_doc_name),
    Property("FileNameMaxLength", lambda f: NAME_LENGTH_MAX - len(f.extension), _ONLYOFFICE),
    Property("LicenseCheckForEditIsEnabled", lambda f: f.can_edit, _M365),
    Property("AllowExternalMarketplace", lambda _: False, _M365),
    Property("PostMessageOrigin", lambda f: f.post_message_origin, _NOT_M365),
    Property("UserCanOnlyComment", lambda f: f.can_comment and not f.can_edit, _COLLABORA),
    Property("UserCanReview", lambda f: f.can_review or f.can_edit, _ONLYOFFICE),
    Property("UserExtraInfo", lambda f: f.presentation.user_extra_info, _COLLABORA),
    Property("TemplateSource", lambda f: f.presentation.template_source, _COLLABORA),
    Property("UserPrivateInfo", lambda f: f.user_private_info, _COLLABORA),
    Property("ServerPrivateInfo", lambda f: f.server_private_info, _COLLABORA),
    Property("UserSettings", lambda f: f.presentation.user_settings, _COLLABORA),
    Property("SharedSettings", lambda f: f.presentation.shared_settings, _COLLABORA),
    Property("IsAdminUser", lambda f: f.presentation.is_admin, _COLLABORA),
    Property("WatermarkText", lambda f: f.watermark_text, _COLLABORA),
    Property("DisablePrint", lambda f: f.presentation.disable_print, _NOT_M365),
    Property("DisableExport", lambda f: f.presentation.disable_export, _NOT_M365),
    Property("DisableCopy", lambda f: f.presentation.disable_copy, _NOT_M365),
    Property("HidePrintOption", lambda f: f.presentation.hide_print_option, _COLLABORA),
    Property("HideSaveOption", lambda f: f.presentation.hide_save_option, _COLLABORA),
    Property("HideExportOption", lambda f: f.presentation.hide_export_option, _COLLABORA),
    Property(
        "EnableOwnerTermination", lambda f: f.presentation.enable_owner_termination, _COLLABORA
    ),
)
"""Every property that this host sends; only what works for the session is advertised."""

_BY_KIND: Final = {
    kind: tuple((p.name, p.value) for p in PROPERTIES if p.kinds is None or kind in p.kinds)
    for kind in EditorKind
}


def check_file_info(facts: FileFacts, kind: EditorKind) -> dict[str, PropertyValue]:
    """Build the answer to CheckFileInfo for an editor of that kind."""
    answer: dict[str, PropertyValue] = {}
    for name, value_of in _BY_KIND[kind]:
        value = value_of(facts)
        if value is not None:
            answer[name] = value
    return answer
