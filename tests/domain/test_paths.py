"""Paths that may and may not name a file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genro_wopi.domain.errors import InvalidFieldsError
from genro_wopi.domain.paths import extension_of, parse_path


@pytest.mark.parametrize(
    "value",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "./a",
        "a/.",
        "a\\b",
        "a\x00b",
        "a\nb",
        "\udcff",
        ".genro-wopi/x",
        "x" * 256,
        "d/" * 600 + "x",
    ],
)
def test_a_path_that_could_leave_the_storage_is_refused(value: str) -> None:
    with pytest.raises(InvalidFieldsError):
        parse_path(value)


@pytest.mark.parametrize("value", ["a.txt", "über/größe.docx", "a b/c'd.md", "..a/b..", "😀.txt"])
def test_an_ordinary_path_is_kept(value: str) -> None:
    assert parse_path(value) == value


def test_a_decomposed_name_is_composed_once() -> None:
    assert parse_path("u\u0308.txt") == "\u00fc.txt"


@given(st.text(max_size=60))
def test_an_accepted_path_has_no_dangerous_segment(value: str) -> None:
    try:
        path = parse_path(value)
    except InvalidFieldsError:
        return
    assert not {"", ".", ".."} & set(path.split("/"))


@pytest.mark.parametrize(
    ("path", "extension"), [("a/B.DOCX", "docx"), ("a", ""), (".hidden", ""), ("a.tar.gz", "gz")]
)
def test_the_extension_is_in_lower_case_without_its_dot(path: str, extension: str) -> None:
    assert extension_of(path) == extension
