"""The three ways in which WOPI writes a moment.

* ``LastModifiedTime``: ISO 8601 in UTC with microseconds, compared as the exact string.
* ``X-WOPI-TimeStamp``: ticks of 100 ns since 0001-01-01.
* ``access_token_ttl``: milliseconds since 1970, an absolute time in spite of its name.

Inside this host a moment is an integer of microseconds since 1970, named ``…_us``.
"""

from datetime import datetime, timedelta
from typing import Final

TICKS_AT_1970: Final = 621_355_968_000_000_000
TICKS_PER_US: Final = 10

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - in UTC, whose mark is written by hand


def format_us(moment_us: int) -> str:
    """Write microseconds since 1970 as ``2026-02-01T10:30:00.123456Z``."""
    moment = _EPOCH + timedelta(microseconds=moment_us)
    return f"{moment.isoformat(timespec='microseconds')}Z"


def ticks_to_us(ticks: int) -> int:
    """Turn an X-WOPI-TimeStamp into microseconds since 1970."""
    return (ticks - TICKS_AT_1970) // TICKS_PER_US


def us_to_ticks(moment_us: int) -> int:
    """Turn microseconds since 1970 into an X-WOPI-TimeStamp."""
    return moment_us * TICKS_PER_US + TICKS_AT_1970
