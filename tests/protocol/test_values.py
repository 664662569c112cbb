"""Locks, times, ranges and the headers of PutFile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genro_wopi.protocol.byte_range import ByteRange, UnsatisfiableRangeError, parse_range
from genro_wopi.protocol.lock_id import parse_lock_id
from genro_wopi.protocol.put_file import parse_put_file_headers
from genro_wopi.protocol.times import format_us, ticks_to_us, us_to_ticks


@pytest.mark.parametrize("value", ["a", "x" * 1024, '{"S":"1","F":4}'])
def test_a_lock_is_up_to_1024_printable_ascii_characters(value: str) -> None:
    assert parse_lock_id(value) == value


@pytest.mark.parametrize("value", [None, "", "x" * 1025, "ä", "a\r\nb", "a\x00"])
def test_what_is_no_lock_is_refused(value: str | None) -> None:
    assert parse_lock_id(value) is None


def test_a_moment_is_written_with_microseconds() -> None:
    assert format_us(1_769_941_800_123_456) == "2026-02-01T10:30:00.123456Z"


def test_a_whole_second_keeps_its_zeros() -> None:
    assert format_us(1_769_941_800_000_000) == "2026-02-01T10:30:00.000000Z"


@given(st.integers(min_value=0, max_value=2**52))
def test_ticks_and_microseconds_agree(moment_us: int) -> None:
    assert ticks_to_us(us_to_ticks(moment_us)) == moment_us


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("bytes=0-0", ByteRange(0, 0)),
        ("bytes=2-", ByteRange(2, 9)),
        ("bytes=-3", ByteRange(7, 9)),
        ("bytes=-99", ByteRange(0, 9)),
        ("bytes=5-99", ByteRange(5, 9)),
        ("bytes=5-2", None),
        ("bytes=0-1,4-5", None),
        ("lines=1-2", None),
        ("bytes=-", None),
    ],
)
def test_a_range_is_read_as_the_rfc_says(value: str | None, expected: ByteRange | None) -> None:
    assert parse_range(value, 10) == expected


@pytest.mark.parametrize("value", ["bytes=10-", "bytes=-0", "bytes=99-100"])
def test_a_range_behind_the_end_cannot_be_satisfied(value: str) -> None:
    with pytest.raises(UnsatisfiableRangeError):
        parse_range(value, 10)


@given(st.text(max_size=40), st.integers(min_value=1, max_value=1000))
def test_no_range_header_crashes_or_leaves_the_file(value: str, size_bytes: int) -> None:
    try:
        found = parse_range(value, size_bytes)
    except UnsatisfiableRangeError:
        return
    assert found is None or 0 <= found.first <= found.last < size_bytes


@pytest.mark.parametrize("prefix", ["x-cool-wopi-", "x-lool-wopi-"])
def test_collaboras_headers_count_under_both_names(prefix: str) -> None:
    parsed = parse_put_file_headers(
        {
            f"{prefix}timestamp": "2026-02-01T10:30:00.123456Z",
            f"{prefix}isautosave": "True",
            f"{prefix}isexitsave": "true",
            f"{prefix}ismodifiedbyuser": "false",
        }
    )
    assert (parsed.timestamp, parsed.is_autosave, parsed.is_exit_save) == (
        "2026-02-01T10:30:00.123456Z",
        True,
        True,
    )
    assert parsed.is_modified_by_user is False


def test_an_empty_timestamp_means_none() -> None:
    assert parse_put_file_headers({"x-cool-wopi-timestamp": ""}).timestamp is None
