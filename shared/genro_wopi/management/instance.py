"""The installation as a whole."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from genro_wopi.domain.field_types import LongCursor
from genro_wopi.management.operation import Access, Operation

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class NoParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing to say."""


class InstancePatch(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of the installation."""

    name: Name | UnsetType = UNSET


class InstanceSuspend(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing new may be opened."""

    reason: Annotated[str, Meta(max_length=500)] = ""


class InstanceView(msgspec.Struct, frozen=True, kw_only=True):
    """The installation."""

    name: str
    suspended: bool
    reason: str | None
    version: str
    public_url: str


class InstanceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the installation is."""

    state: str
    """active or suspended"""
    version: str
    redis_version: str
    tenants: int
    session_service_ready: bool


class CallerView(msgspec.Struct, frozen=True, kw_only=True):
    """Whose token a request shows."""

    role: str
    """``admin`` or ``tenant``."""
    tenant_id: str | None
    scopes: list[str]
    """Of the key; ``all`` for the operator."""


class Reseal(msgspec.Struct, frozen=True, kw_only=True):
    """From which tenant on."""

    cursor: LongCursor = ""


class Resealed(msgspec.Struct, frozen=True, kw_only=True):
    """What was done for some tenants."""

    tenants: int
    resealed: int
    """Secrets that were encrypted with an older key, and are not any more."""
    unreadable: list[str]
    """Places of secrets whose key is missing."""
    keys: dict[str, int]
    """How many secrets each key protects now."""
    next_cursor: str | None


INSTANCE_RESEAL: Final = Operation(
    name="instance.reseal",
    method="POST",
    path="/api/instance/reseal",
    summary="Encrypt the secrets of all tenants anew under the first key, part after part.",
    request=Reseal,
    response=Resealed,
    access=Access.ADMIN,
)
CALLER_GET: Final = Operation(
    name="caller.get",
    method="GET",
    path="/api/caller",
    summary="Tell whose token this is.",
    request=NoParameters,
    response=CallerView,
    scope="any",
)
INSTANCE_GET: Final = Operation(
    name="instance.get",
    method="GET",
    path="/api/instance",
    summary="Show the installation.",
    request=NoParameters,
    response=InstanceView,
    access=Access.ADMIN,
)
INSTANCE_UPDATE: Final = Operation(
    name="instance.update",
    method="PATCH",
    path="/api/instance",
    summary="Change the installation's name.",
    request=InstancePatch,
    response=InstanceView,
    access=Access.ADMIN,
)
INSTANCE_STATUS: Final = Operation(
    name="instance.status",
    method="GET",
    path="/api/instance/status",
    summary="Show how the installation is.",
    request=NoParameters,
    response=InstanceStatus,
    access=Access.ADMIN,
)
INSTANCE_SUSPEND: Final = Operation(
    name="instance.suspend",
    method="POST",
    path="/api/instance/suspend",
    summary="Open nothing new; what is open may still be saved.",
    request=InstanceSuspend,
    response=InstanceView,
    access=Access.ADMIN,
)
INSTANCE_ACTIVATE: Final = Operation(
    name="instance.activate",
    method="POST",
    path="/api/instance/activate",
    summary="Open documents again.",
    request=NoParameters,
    response=InstanceView,
    access=Access.ADMIN,
)
