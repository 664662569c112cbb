"""Discovery documents, real and hostile, and the address of an editor."""

from pathlib import Path

import pytest

from genro_wopi.protocol.discovery import Action, InvalidDiscoveryError, parse_discovery
from genro_wopi.protocol.editor_url import build_editor_url, choose_action

DOCUMENT = (Path(__file__).parent / "recorded" / "discovery-25.04.xml").read_bytes()
DISCOVERY = parse_discovery(DOCUMENT)
SRC = "http://wopi.example/wopi/files/abc"


def chosen(extension: str, *, edit: bool, empty: bool = False, mime_type: str = "") -> str | None:
    action = choose_action(
        DISCOVERY.actions,
        extension=extension,
        mime_type=mime_type,
        wants_edit=edit,
        is_empty=empty,
    )
    return action.name if action else None


def test_a_real_discovery_has_actions_and_a_key() -> None:
    assert len(DISCOVERY.actions) > 100
    assert DISCOVERY.proof_keys is not None


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html><body>not here</body></html>",
        DOCUMENT[:2000],
        b"<wopi-discovery/>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><wopi-discovery>&a;</wopi-discovery>',
        b"x" * (5 * 1024 * 1024),
    ],
    ids=["empty", "html", "truncated", "no actions", "entity", "huge"],
)
def test_what_is_no_discovery_is_refused(document: bytes) -> None:
    with pytest.raises(InvalidDiscoveryError):
        parse_discovery(document)


def test_an_editor_edits_what_it_can_edit() -> None:
    assert chosen("odt", edit=True) == "edit"


def test_a_reader_of_an_editable_type_gets_its_only_action() -> None:
    assert chosen("odt", edit=False) == "edit"


def test_a_type_that_can_only_be_viewed_is_viewed() -> None:
    assert chosen("sxw", edit=True) == "view"


def test_an_unknown_type_opens_nowhere() -> None:
    assert chosen("wopitest", edit=True) is None


def test_a_mime_type_is_the_second_choice() -> None:
    mime_type = "application/vnd.oasis.opendocument.text"
    assert chosen("unknown", edit=True, mime_type=mime_type) is not None


def test_an_empty_file_is_filled_by_editnew_where_there_is_one() -> None:
    actions = [Action("edit", "x", "a", "http://e/1"), Action("editnew", "x", "a", "http://e/2")]
    action = choose_action(actions, extension="x", mime_type="", wants_edit=True, is_empty=True)
    assert action == actions[1]


@pytest.mark.parametrize(
    ("urlsrc", "url"),
    [
        (
            "http://e/cool.html?",
            "http://e/cool.html?WOPISrc=http%3A%2F%2Fwopi.example%2Fwopi%2Ffiles%2Fabc",
        ),
        ("http://e/x", "http://e/x?WOPISrc=http%3A%2F%2Fwopi.example%2Fwopi%2Ffiles%2Fabc"),
        (
            "http://e/x?fixed=1&<ui=UI_LLCC&><rs=UNKNOWN&>",
            "http://e/x?fixed=1&ui=it-IT&WOPISrc=http%3A%2F%2Fwopi.example%2Fwopi%2Ffiles%2Fabc",
        ),
        (
            "http://e/x?<a=WOPI_SOURCE&>",
            "http://e/x?a=http%3A%2F%2Fwopi.example%2Fwopi%2Ffiles%2Fabc",
        ),
    ],
)
def test_placeholders_are_filled_or_dropped_whole(urlsrc: str, url: str) -> None:
    assert build_editor_url(urlsrc, SRC, {"UI_LLCC": "it-IT"}) == url
