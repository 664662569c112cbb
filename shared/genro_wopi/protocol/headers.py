"""Names of the HTTP headers that WOPI clients and hosts exchange.

Spec: https://learn.microsoft.com/microsoft-365/cloud-storage-partner-program/rest/common-headers
Collabora's own: https://sdk.collaboraonline.com/docs/advanced_integration.html
"""

from enum import StrEnum
from typing import Final

ITEM_VERSION: Final = "X-WOPI-ItemVersion"
LOCK: Final = "X-WOPI-Lock"
OLD_LOCK: Final = "X-WOPI-OldLock"
LOCK_FAILURE_REASON: Final = "X-WOPI-LockFailureReason"
OVERRIDE: Final = "X-WOPI-Override"
SERVER_ERROR: Final = "X-WOPI-ServerError"
MAX_EXPECTED_SIZE: Final = "X-WOPI-MaxExpectedSize"
SIZE: Final = "X-WOPI-Size"
EDITORS: Final = "X-WOPI-Editors"
PROOF: Final = "X-WOPI-Proof"
PROOF_OLD: Final = "X-WOPI-ProofOld"
TIMESTAMP: Final = "X-WOPI-TimeStamp"
CORRELATION_ID: Final = "X-WOPI-CorrelationId"
REQUEST_ID: Final = "X-Request-Id"

SUGGESTED_TARGET: Final = "X-WOPI-SuggestedTarget"
RELATIVE_TARGET: Final = "X-WOPI-RelativeTarget"
OVERWRITE_TARGET: Final = "X-WOPI-OverwriteRelativeTarget"
VALID_TARGET: Final = "X-WOPI-ValidRelativeTarget"
REQUESTED_NAME: Final = "X-WOPI-RequestedName"
INVALID_NAME: Final = "X-WOPI-InvalidFileNameError"
URL_TYPE: Final = "X-WOPI-UrlType"
EXTENSION_FILTER: Final = "X-WOPI-FileExtensionFilterList"
INVALID_CONTAINER_NAME: Final = "X-WOPI-InvalidContainerNameError"
ECOSYSTEM_OPERATION: Final = "X-WOPI-EcosystemOperation"
WOPI_SRC: Final = "X-WOPI-WopiSrc"

COOL_PREFIXES: Final = ("x-cool-wopi-", "x-lool-wopi-")
"""Collabora's own headers; Collabora 22.05 sends both spellings, OnlyOffice and older ones LOOL."""


class Override(StrEnum):
    """Values of X-WOPI-Override on ``POST /wopi/files/{file_id}`` that this host answers."""

    LOCK = "LOCK"
    UNLOCK = "UNLOCK"
    REFRESH_LOCK = "REFRESH_LOCK"
    GET_LOCK = "GET_LOCK"
    PUT = "PUT"
    PUT_RELATIVE = "PUT_RELATIVE"
    RENAME_FILE = "RENAME_FILE"
    DELETE = "DELETE"
    PUT_USER_INFO = "PUT_USER_INFO"
    GET_SHARE_URL = "GET_SHARE_URL"
    ADD_ACTIVITIES = "ADD_ACTIVITIES"


class ContainerOverride(StrEnum):
    """Values of X-WOPI-Override on ``POST /wopi/containers/{container_id}``."""

    CREATE_CHILD_FILE = "CREATE_CHILD_FILE"
    CREATE_CHILD_CONTAINER = "CREATE_CHILD_CONTAINER"
    DELETE_CONTAINER = "DELETE_CONTAINER"
    RENAME_CONTAINER = "RENAME_CONTAINER"
    GET_SHARE_URL = "GET_SHARE_URL"


def cool_header(headers: dict[str, str], name: str) -> str | None:
    """Return Collabora's header `name` (lower case, without prefix) under either spelling."""
    for prefix in COOL_PREFIXES:
        value = headers.get(prefix + name)
        if value is not None:
            return value
    return None


def is_true(value: str | None) -> bool:
    """Read a boolean header; clients write ``true`` and ``True``."""
    return value is not None and value.strip().lower() == "true"
