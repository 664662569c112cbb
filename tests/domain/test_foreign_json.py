"""JSON that is meant to harm: nested, many small values, no text."""

from typing import Any

import msgspec
import pytest

from genro_wopi.domain.foreign_json import DEPTH_MAX, VALUES_MAX, decode_json


@pytest.mark.parametrize("depth", [DEPTH_MAX + 1, 500, 30_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("is_closed", [True, False])
def test_what_is_nested_too_deeply_is_no_json(
    depth: int, opening: bytes, closing: bytes, is_closed: bool
) -> None:
    value = opening * depth + b"1" + closing * (depth if is_closed else 0)
    with pytest.raises(msgspec.DecodeError):
        decode_json(b'{"a":' + value + b"}", dict[str, Any])


@pytest.mark.parametrize("item", [b"[]", b"{}", b"1"])
def test_what_has_too_many_values_is_no_json(item: bytes) -> None:
    body = b'{"a":[' + b",".join([item] * (VALUES_MAX + 1)) + b"]}"
    with pytest.raises(msgspec.DecodeError):
        decode_json(body, dict[str, Any])


@pytest.mark.parametrize("body", [b"\xff", b'{"a": "\xff\xfe"}', b"", b"nul", b'{"a"'])
def test_what_cannot_be_read_is_no_json(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_json(body, dict[str, Any])


def test_what_is_meant_seriously_is_read() -> None:
    nested = b"[" * 20 + b"]" * 20
    wide = b"[" + b",".join([b"[1]"] * 1000) + b"]"
    found = decode_json(b'{"a":' + nested + b', "b":' + wide + b"}", dict[str, Any])
    assert len(found["b"]) == 1000
