"""Moments as the API takes them."""

from datetime import datetime

from genro_wopi.domain.errors import FieldError, InvalidFieldsError


def moment_us(field: str, value: str) -> int:
    """Read a moment with its time zone; microseconds since 1970.

    Raises:
        InvalidFieldsError: it is not ISO 8601, or names no time zone.
    """
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        problem = "use ISO 8601, as in 2026-12-31T23:59:59Z"
        raise InvalidFieldsError((FieldError(field, problem),)) from error
    if moment.tzinfo is None:
        raise InvalidFieldsError((FieldError(field, "name the time zone, as in …Z"),))
    return int(moment.timestamp() * 1_000_000)
