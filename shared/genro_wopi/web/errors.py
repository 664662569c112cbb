"""The one table from errors to HTTP: `STATUS`. They are written down as WOPI or problem+json.

An error that is not in the table is a bug: it is logged and answered with 500.
"""

from typing import Final

import msgspec

from genro_wopi.domain import errors
from genro_wopi.domain.secrets import UnreadableSecretError
from genro_wopi.domain.sessions import SessionEndedError
from genro_wopi.domain.storages import HeadChangedError, StorageFaultError
from genro_wopi.protocol import headers as names
from genro_wopi.protocol.file_name import encode_name
from genro_wopi.protocol.put_file import COOL_STATUS_DOC_CHANGED
from genro_wopi.protocol.times import format_us

STATUS: Final[dict[type[Exception], int]] = {
    errors.InvalidRequestError: 400,
    errors.InvalidNameError: 400,
    errors.UnauthenticatedError: 401,
    SessionEndedError: 401,
    errors.ForbiddenError: 403,
    errors.NotFoundError: 404,
    errors.SuspendedError: 404,
    errors.AlreadyExistsError: 409,
    errors.ConflictError: 409,
    errors.NameTakenError: 409,
    errors.LockMismatchError: 409,
    errors.FileChangedError: 409,
    HeadChangedError: 409,
    errors.PreconditionFailedError: 412,
    errors.ExpectedSizeExceededError: 412,
    errors.TooLargeError: 413,
    errors.RangeError: 416,
    errors.InvalidFieldsError: 422,
    errors.RateLimitedError: 429,
    errors.ProofRefusedError: 500,
    errors.UnsupportedOperationError: 501,
    errors.UnavailableError: 503,
    StorageFaultError: 503,
    UnreadableSecretError: 503,
    errors.StorageFullError: 507,
}

TITLES: Final = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    409: "Conflict",
    412: "Precondition failed",
    413: "Too large",
    415: "Wrong media type",
    416: "No such range",
    422: "Invalid fields",
    429: "Too many requests",
    500: "Internal error",
    501: "Not supported",
    503: "Try again later",
    507: "Storage full",
}

_BUG: Final = "An unexpected error; the log has it under the request's id."


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Status, headers and body of an answer to a failed request."""

    status: int
    headers: dict[str, str]
    body: bytes
    media_type: str


def status_of(error: Exception) -> int:
    """Return the status of an error; 500 for one that is not expected."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500


def wopi_answer(error: Exception) -> ErrorAnswer:
    """Write an error as a WOPI client expects it: status and headers; the body only informs."""
    status = status_of(error)
    message = str(error) if type(error) in STATUS else _BUG
    headers = _common_headers(error, status)
    body, media_type = message.encode(), "text/plain"
    if isinstance(error, errors.LockMismatchError | errors.FileChangedError):
        headers[names.LOCK] = error.held or ""
        headers[names.LOCK_FAILURE_REASON] = message
    if isinstance(error, errors.NameTakenError):
        headers |= _target(error.free_name)
        if error.held is not None:
            headers[names.LOCK] = error.held
    if isinstance(error, errors.InvalidNameError):
        headers |= _target(error.valid_name) | {names.INVALID_NAME: message}
        headers[names.INVALID_CONTAINER_NAME] = message
    if isinstance(error, errors.FileChangedError):
        conflict = {
            "COOLStatusCode": COOL_STATUS_DOC_CHANGED,
            "LOOLStatusCode": COOL_STATUS_DOC_CHANGED,
            "LastModifiedTime": format_us(error.last_modified_us),
        }
        body, media_type = msgspec.json.encode(conflict), "application/json"
    if status == 500:  # noqa: PLR2004 - the status that the reference wants explained
        headers[names.SERVER_ERROR] = message
    return ErrorAnswer(status, headers, body, media_type)


def _target(name: str) -> dict[str, str]:
    return {names.VALID_TARGET: encode_name(name)} if name else {}


def problem_answer(error: Exception) -> ErrorAnswer:
    """Write an error as RFC 9457 says."""
    status = status_of(error)
    problem: dict[str, object] = {
        "type": "about:blank",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": str(error) if type(error) in STATUS else _BUG,
    }
    if isinstance(error, errors.InvalidFieldsError):
        problem["errors"] = error.errors
    headers = _common_headers(error, status)
    if status == 401:  # noqa: PLR2004 - Unauthorized
        headers["WWW-Authenticate"] = "Bearer"
    return ErrorAnswer(status, headers, msgspec.json.encode(problem), "application/problem+json")


def _common_headers(error: Exception, status: int) -> dict[str, str]:
    if isinstance(error, errors.UnavailableError | errors.RateLimitedError):
        return {"Retry-After": str(error.retry_after_s)}
    if status == 503:  # noqa: PLR2004 - Service Unavailable
        return {"Retry-After": str(errors.RETRY_AFTER_S)}
    if isinstance(error, errors.RangeError):
        return {"Content-Range": f"bytes */{error.size_bytes}"}
    return {}
