"""Every parser of what others send: a value or its own error, never another exception."""

import re
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from genro_wopi.adapters.new_keys import new_signing_key
from genro_wopi.adapters.tokens import own_verifier
from genro_wopi.domain.errors import InvalidFieldsError, UnauthenticatedError
from genro_wopi.domain.paths import parse_folder, parse_path, segment_problem
from genro_wopi.protocol.byte_range import UnsatisfiableRangeError, parse_range
from genro_wopi.protocol.discovery import (
    InvalidDiscoveryError,
    ProofKeys,
    PublicKey,
    parse_discovery,
)
from genro_wopi.protocol.editor_url import build_editor_url
from genro_wopi.protocol.file_name import (
    FALLBACK,
    NAME_BYTES_MAX,
    decode_name,
    encode_name,
    numbered,
    repaired,
)
from genro_wopi.protocol.headers import cool_header, is_true
from genro_wopi.protocol.lock_id import LOCK_ID_LENGTH_MAX, parse_lock_id
from genro_wopi.protocol.proof import ProofHeaders, is_fresh, message, parse_ticks, verifies
from genro_wopi.protocol.put_file import parse_put_file_headers
from genro_wopi.runtime.setting_values import read_keys
from genro_wopi.wopi_service.operations.placement import usable_name

HEADER = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=80)
UTF7 = st.text("+-/ACaI.0AL4gv&\\~", max_size=40)
NAMES = st.one_of(st.text(max_size=80), UTF7, st.sampled_from(["a+AA0ACg-b", "+AC4ALgAv-etc"]))
KEYS = read_keys(new_signing_key())
VERIFIER = own_verifier(KEYS)


@given(NAMES)
@example("x+AAA-y")
@example("+2AA-")
def test_a_name_of_a_header_is_read_or_refused(value: str) -> None:
    name = decode_name(value)
    if name is None:
        return
    name.encode()
    again = decode_name(encode_name(name))
    assert again in {name, None}


@given(st.text(max_size=400), st.integers(0, 10**6))
@example("..", 0)
@example("CON.txt", 3)
@example(".genro-wopi", 0)
@example(".GENRO-WOPI", 0)
def test_a_repaired_name_is_one_that_every_storage_takes(value: str, number: int) -> None:
    for name in (usable_name(value), numbered(usable_name(value), number)):
        assert name
        assert len(name.encode()) <= NAME_BYTES_MAX
        assert segment_problem(name) is None, (name, segment_problem(name))
        assert parse_path(name)
    assert repaired("") == FALLBACK


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200).map(lambda b: b.decode("latin-1"))))
@example("a/../../etc/passwd")
@example("a\\..\\b")
def test_a_path_stays_in_its_storage_or_is_refused(value: str) -> None:
    for parse in (parse_path, parse_folder):
        try:
            path = parse(value)
        except InvalidFieldsError:
            continue
        segments = path.strip("/").split("/") if path.strip("/") else []
        assert not {"", ".", ".."} & set(segments)
        assert not path.startswith("/")
        assert not re.search(r"[\x00-\x1f\\]", path)
        assert parse(path) == path, "read twice it is another one"


@given(
    st.one_of(st.none(), HEADER, st.from_regex(r"bytes=\d*-\d*", fullmatch=True)),
    st.integers(0, 2**60),
)
def test_a_range_lies_in_the_file(value: str | None, size_bytes: int) -> None:
    try:
        found = parse_range(value, size_bytes)
    except UnsatisfiableRangeError:
        return
    assert found is None or 0 <= found.first <= found.last < size_bytes


@given(st.one_of(st.none(), st.text(max_size=1100)))
def test_a_lock_can_be_a_header(value: str | None) -> None:
    lock = parse_lock_id(value)
    if lock is not None:
        assert lock == value
        assert 0 < len(lock) <= LOCK_ID_LENGTH_MAX
        assert not re.search(r"[^\x20-\x7e]", lock)


PUT_NAMES = st.sampled_from(
    [
        *("x-wopi-timestamp", "x-wopi-size", "x-wopi-editors", "x-wopi-lock"),
        *(
            f"x-cool-wopi-{n}"
            for n in ("timestamp", "isautosave", "isexitsave", "ismodifiedbyuser")
        ),
        *(
            f"x-lool-wopi-{n}"
            for n in ("timestamp", "isautosave", "isexitsave", "ismodifiedbyuser")
        ),
    ]
)


@given(st.dictionaries(PUT_NAMES, HEADER))
@example({"x-wopi-size": "²"})
@example({"x-wopi-timestamp": "٣"})
@example({"x-wopi-timestamp": "9" * 5000})
def test_the_headers_of_a_save_are_read_whatever_they_are(headers: dict[str, str]) -> None:
    parsed = parse_put_file_headers(headers)
    assert 0 <= parsed.attempt < 2**63
    assert parsed.size_bytes is None or parsed.size_bytes >= 0
    assert parsed.timestamp != ""
    assert is_true(cool_header(headers, "isautosave")) == parsed.is_autosave


PIECES = st.sampled_from(
    [
        *("<wopi-discovery>", "</wopi-discovery>", "<net-zone>", "</net-zone>", "<app name='w'>"),
        *("</app>", "<action name='edit' ext='odt' urlsrc='https://e/x?'/>", "<proof-key/>", "&x;"),
        *(
            "<!DOCTYPE a [<!ENTITY x 'y'>]>",
            "<action/>",
            "\x00",
            "é",
            "]]>",
            "<?xml version='1.0'?>",
        ),
    ]
)


@given(
    st.one_of(
        st.binary(max_size=200), st.lists(PIECES, max_size=12).map(lambda p: "".join(p).encode())
    )
)
@example(
    b"<wopi-discovery><net-zone><app><action name='a' urlsrc='http://[::1'/></app></net-zone></wopi-discovery>"
)
def test_a_discovery_is_read_or_refused(document: bytes) -> None:
    try:
        discovery = parse_discovery(document)
    except InvalidDiscoveryError:
        return
    assert discovery.actions
    for action in discovery.actions:
        assert action.urlsrc.startswith(("http://", "https://"))


@given(
    st.text(max_size=60),
    st.dictionaries(st.text("ABC_1", min_size=1, max_size=8), st.text(max_size=20)),
    st.text(max_size=20),
)
@example("<a=UI_LLCC&><b=B&>x<c", {"UI_LLCC": "de&x=1"}, "https://h/wopi/files/1")
def test_an_editors_address_keeps_its_host(
    tail: str, placeholders: dict[str, str], value: str
) -> None:
    attribute = quoteattr(f"https://editor.example/x?{tail}")
    source = f"https://editor.example/x?{tail}"
    url = build_editor_url(source, f"https://host.example/wopi/files/{value}", placeholders)
    assert urlsplit(url).netloc == "editor.example", attribute
    assert "WOPISrc=" in url or "wopisrc=" in url.lower()


@given(
    st.one_of(
        st.text(max_size=200),
        st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}", fullmatch=True),
    )
)
@example("eyJhbGciOiJub25lIn0.e30.")
def test_no_token_but_ours_counts(value: str) -> None:
    with pytest.raises(UnauthenticatedError):
        VERIFIER.verify(value)


CLAIMS = st.dictionaries(
    st.sampled_from(["sid", "fid", "tid", "exp", "edit", "usr", "aud", "iss", "nbf", "iat"]),
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
)


@given(CLAIMS, st.sampled_from(["none", "HS256"]), st.text(max_size=6))
def test_a_token_of_another_algorithm_never_counts(
    claims: dict[str, object], algorithm: str, kid: str
) -> None:
    key = "" if algorithm == "none" else "x" * 64
    try:
        token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid, "typ": "wopi"})
    except (TypeError, ValueError):
        return
    with pytest.raises(UnauthenticatedError):
        VERIFIER.verify(token)


PUBLISHED = st.builds(
    ProofKeys,
    current=st.builds(PublicKey, modulus=st.text(max_size=40), exponent=st.text(max_size=8)),
    old=st.none(),
)


@given(HEADER, HEADER, HEADER, st.text(max_size=60), PUBLISHED)
@example("", "", "9" * 400, "", ProofKeys(current=PublicKey("AQAB", "AQAB"), old=None))
def test_a_proof_is_checked_and_nothing_more(
    proof: str, proof_old: str, ticks: str, url: str, keys: ProofKeys
) -> None:
    read = parse_ticks(ticks)
    assert read is None or 0 <= read < 2**63
    assert isinstance(is_fresh(read or 0, 1_769_941_800_000_000), bool)
    signed = message("token", url, read or 0)
    headers = ProofHeaders(proof=proof, proof_old=proof_old, ticks=ticks)
    assert verifies(headers, signed, [keys]) is False
