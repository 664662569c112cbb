"""The doctor: why a document does not open, or will not tomorrow."""

from typing import Final

import msgspec

from genro_wopi.domain.callers import Scope
from genro_wopi.domain.doctor import Finding
from genro_wopi.domain.field_types import ShortText
from genro_wopi.management.operation import Operation


class DoctorRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is examined; everything that the caller may see where nothing is named."""

    tenant_id: ShortText | None = None
    editor: ShortText | None = None
    """This editor only."""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, the worst first."""

    is_healthy: bool
    """Nothing but notes was found."""
    checks: int
    """How many checks were made."""
    collabora_allow: str
    """What lets a Collabora call this host, for its coolwsd.xml."""
    items: list[Finding]


DOCTOR_RUN: Final = Operation(
    name="doctor.run",
    method="POST",
    path="/api/doctor",
    summary="Examine the installation, or a tenant's part of it: each finding with its remedy.",
    request=DoctorRequest,
    response=Diagnosis,
    scope=Scope.ALL,
)
