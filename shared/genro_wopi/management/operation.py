"""What a management operation is.

Its request is one Struct: path parameters are taken from the path; what remains comes from the
query of GET and DELETE, from the JSON body of the others.
"""

from enum import StrEnum
from typing import Annotated, Final, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from genro_wopi.domain.callers import Scope
from genro_wopi.domain.cursors import CURSOR_SIZE_MAX

LIMIT_MAX: Final = 1000
"""Most items in one page."""

BODY_BYTES_MAX: Final = 256 * 1024
"""The largest thing that is written by hand is a storage with a certificate."""

RequestT = TypeVar("RequestT", bound=msgspec.Struct)
ResponseT = TypeVar("ResponseT")


class Access(StrEnum):
    """Who may call an operation."""

    ADMIN = "admin"
    """The operator only."""
    TENANT = "tenant"
    """A tenant's application for its own tenant, or the operator for any."""


class Owner(StrEnum):
    """Which service carries an operation out."""

    GATEWAY = "gateway"
    SESSION_SERVICE = "session-service"


class Content(StrEnum):
    """What travels beside the parameters."""

    JSON = "json"
    UPLOAD = "upload"
    """The request's body is a document, streamed; parameters come from the query."""
    DOWNLOAD = "download"
    """The answer's body is a document, streamed."""


class Operation(msgspec.Struct, Generic[RequestT, ResponseT], frozen=True, kw_only=True):
    """One declaration."""

    name: str
    """``group.verb``; also the name in client and command line."""
    method: str
    path: str
    """With parameters in braces, as OpenAPI writes them."""
    summary: str
    request: type[RequestT]
    response: type[ResponseT]
    access: Access = Access.TENANT
    scope: Scope | Literal["any"] = Scope.ALL
    """Which scope a tenant's key must have; ``any`` for what every key may ask."""
    owner: Owner = Owner.GATEWAY
    content: Content = Content.JSON
    status: int = 200
    """Of success; an upsert that replaced something answers 200."""
    arguments: tuple[str, ...] = ()
    """Fields that the command line takes without their names, besides those of the path."""
    body_bytes_max: int = BODY_BYTES_MAX
    """Of the JSON body; a document that is uploaded may be as long as a file."""
    warning: str = ""
    """What a person is told, and asked, before it is done for good."""

    @property
    def reads_query(self) -> bool:
        """Whether parameters come from the query instead of a JSON body."""
        return self.method in {"GET", "DELETE"} or self.content is Content.UPLOAD


class Upserted(msgspec.Struct, Generic[ResponseT], frozen=True):
    """The result of an operation that creates or replaces."""

    value: ResponseT
    created: bool


class Nothing(msgspec.Struct, frozen=True):
    """The answer of an operation that returns nothing."""


SealedCursor = Annotated[str, Meta(max_length=CURSOR_SIZE_MAX)]
"""A cursor that only the host can read."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What every list takes."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 100
    cursor: Annotated[str, Meta(max_length=500)] = ""
    """`next_cursor` of the page before."""
