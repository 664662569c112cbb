"""Every error that the host raises on purpose.

* HostError
  + InvalidRequestError        a header, name or body breaks the protocol
  + InvalidFieldsError         fields of a management request; all of them at once
  + UnauthenticatedError       no token, or one that no longer counts
  + ForbiddenError             known, but not allowed
  + NotFoundError              no such thing for this caller
  + AlreadyExistsError         the name is taken
  + NameTakenError             the name that an editor asks for is taken
  + InvalidNameError           the name that an editor asks for is none
  + ConflictError              the thing is in a state that forbids it
  + PreconditionFailedError    If-Match or If-None-Match did not hold
  + LockMismatchError          another lock holds the file, or none does
  + FileChangedError           the bytes changed since the client read them
  + TooLargeError              no host of this size will ever take it
  + RangeError                 no byte of the file lies in the range that was asked for
  + ExpectedSizeExceededError  the file is larger than the client said it can take
  + UnsupportedOperationError  WOPI knows it, this host does not
  + ProofRefusedError          the editor's signature does not match its keys
  + UnavailableError           a fault of ours; try again
  + StorageFullError           no room left

`genro_wopi.web.errors` alone knows the HTTP status of each. The message says what happened and
what to do; it never holds a secret.
"""

from typing import Final

import msgspec

RETRY_AFTER_S: Final = 2
"""What a client is asked to wait after a fault of ours, in seconds."""


class HostError(Exception):
    """Base of the errors that this host raises on purpose."""

    recovery_id: str = ""
    """Of a save that was refused: its recovery copy; empty where none was kept."""
    nothing_typed: bool = False
    """Of a save that was refused: its bytes are a template that nobody has typed into."""


class InvalidRequestError(HostError):
    """The request breaks the protocol; sending it again cannot help."""


class FieldError(msgspec.Struct, frozen=True):
    """One field of a management request and what is wrong with it."""

    field: str
    problem: str


class InvalidFieldsError(HostError):
    """Fields of a management request are missing or wrong."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__("; ".join(f"{e.field}: {e.problem}" for e in errors))
        self.errors = errors


class UnauthenticatedError(HostError):
    """The caller did not show a token that counts."""


class ForbiddenError(HostError):
    """The caller is known and may not do this."""


class NotFoundError(HostError):
    """There is no such thing, or none that this caller may see."""


class SuspendedError(NotFoundError):
    """The tenant is there, but not active."""


class AlreadyExistsError(HostError):
    """The name is taken."""


class NameTakenError(HostError):
    """The exact name that an editor asked for is taken."""

    def __init__(self, message: str, *, free_name: str = "", held: str | None = None) -> None:
        super().__init__(message)
        self.free_name = free_name
        """A name that is free; empty where none is offered."""
        self.held = held
        """The lock that holds the file of that name; None where none does."""


class InvalidNameError(HostError):
    """The name that an editor asked for cannot be one."""

    def __init__(self, message: str, *, valid_name: str = "") -> None:
        super().__init__(message)
        self.valid_name = valid_name
        """A name that can be used instead; empty where none is offered."""


class ConflictError(HostError):
    """The thing is in a state in which the operation makes no sense."""


class PreconditionFailedError(HostError):
    """The caller's If-Match or If-None-Match did not hold."""


class RateLimitedError(HostError):
    """The caller asks more often, or for more, than it may."""

    def __init__(self, retry_after_s: int, message: str = "") -> None:
        super().__init__(message or f"Too many requests with this key: wait {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class LockMismatchError(HostError):
    """The operation showed a lock that does not hold the file."""

    def __init__(self, held: str | None, reason: str) -> None:
        super().__init__(reason)
        self.held = held
        """The lock that holds the file now; None when none does."""


class FileChangedError(HostError):
    """The head is not what the client's bytes were made from; they were kept, not stored."""

    def __init__(self, last_modified_us: int, held: str | None, reason: str) -> None:
        super().__init__(reason)
        self.last_modified_us = last_modified_us
        """Of the head as it is now, microseconds since 1970."""
        self.held = held
        """The lock that holds the file now; None when none does."""


class TooLargeError(HostError):
    """The body can never be accepted."""


class RangeError(HostError):
    """No byte of the file lies in the range that was asked for."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"The file has {size_bytes} bytes.")
        self.size_bytes = size_bytes


class ExpectedSizeExceededError(HostError):
    """The file is larger than the client's X-WOPI-MaxExpectedSize."""


class UnsupportedOperationError(HostError):
    """The operation is not one that this host answers."""


class ProofRefusedError(HostError):
    """The request's signature was not made by the editor that the session belongs to."""

    def __init__(self, kind: str, message: str) -> None:
        """Take what is wrong.

        Args:
            kind: missing, stale or no_key; for counting.
            message: the same in words.
        """
        super().__init__(message)
        self.kind = kind


class UnavailableError(HostError):
    """Something that the request needs does not answer; nothing was changed."""

    def __init__(self, message: str, *, retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StorageFullError(HostError):
    """The disk or the quota is full; nothing was changed."""
