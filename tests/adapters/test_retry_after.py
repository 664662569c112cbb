"""For how long an application asks to be left alone."""

import pytest

from genro_wopi.adapters.http.fetch import Answer

NOW_S = 1_795_604_400.0
"""2026-11-25 11:00:00 GMT."""


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120),
        ("Wed, 25 Nov 2026 11:02:00 GMT", 120),
        ("Wednesday, 25-Nov-26 11:02:00 GMT", 120),
        ("Wed, 25 Nov 2026 10:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("", 0),
        ("١٢", 0),
        ("Wed, 99 Nov 2026 11:02:00 GMT", 0),
    ],
)
def test_seconds_and_moments_are_understood(asked: str, seconds: float) -> None:
    assert Answer(503, {"retry-after": asked}, b"").retry_after_s(NOW_S) == seconds


def test_without_the_header_nothing_is_asked_for() -> None:
    assert Answer(503, {}, b"").retry_after_s(NOW_S) == 0
