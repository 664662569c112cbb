"""What comes from outside: numbers, addresses, keys, XML."""

import base64
import time

import pytest

from genro_wopi.protocol.decimals import parse_decimal
from genro_wopi.protocol.discovery import (
    ACTIONS_MAX,
    InvalidDiscoveryError,
    parse_discovery,
)
from genro_wopi.protocol.proof import (
    KEYS_MAX,
    ProofHeaders,
    ProofKeys,
    PublicKey,
    load_key,
    verifies,
)
from genro_wopi.protocol.web_address import is_origin, origin_of


@pytest.mark.parametrize("text", ["²", "\uff11", "1_0", "+1", " 1", "", None, "9" * 5000, "9" * 19])
def test_what_is_no_number_is_none(text: str | None) -> None:
    assert parse_decimal(text) is None


def test_a_number_is_read() -> None:
    assert [parse_decimal(t) for t in ("0", "007", str(2**63 - 1))] == [0, 7, 2**63 - 1]


HOSTILE = [
    "javascript:alert(1)",
    "data:text/html,x",
    "https://",
    "https:///path",
    "https://user@office.test/",
    "https://user:word@office.test/",
    "https://@office.test/",
    "https://office.test; script-src *",
    "https://office.test;script-src/*",
    "https://office.test,evil.test/",
    "https://office.test'/",
    'https://office.test"/',
    "https://office.test\n/",
    "https://office.test\\@evil.test/",
    "https://öffice.test/",
    "https://office.test:x/",
    "https://office.test:99999/",
    "https://[::1/",
    "https://[v1.a;b]/",
    f"https://{'a' * 64}.test/",
    "https://*/",
    "https://office.test/" + "a" * 20_000,
    "ftp://office.test/",
    "//office.test/",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_an_address_that_is_no_plain_one_has_no_origin(url: str) -> None:
    assert origin_of(url) is None


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Office.test/a?<ui=UI_LLCC&>b=c;d", "https://office.test"),
        ("http://127.0.0.1:9980/x", "http://127.0.0.1:9980"),
        ("https://[fd00::1]:8443/x", "https://[fd00::1]:8443"),
        ("https://word-edit.officeapps.live.com/we/wordeditorframe.aspx?", None),
        ("http://xn--ffice-jua.test", "http://xn--ffice-jua.test"),
    ],
)
def test_the_origin_of_an_address(url: str, origin: str | None) -> None:
    assert origin_of(url) == (origin or "https://word-edit.officeapps.live.com")


def test_only_an_origin_goes_into_a_policy() -> None:
    assert is_origin("https://app.example")
    assert is_origin("https://*.example:8443")
    assert not is_origin("https://a.example; script-src *")
    assert not is_origin("https://a.example/path")
    assert not is_origin("*")


def discovery(actions: str, key: str = "") -> bytes:
    document = f"<wopi-discovery><net-zone><app name='a'>{actions}</app></net-zone>{key}"
    return f"{document}</wopi-discovery>".encode()


GOOD = "<action name='edit' ext='odt' urlsrc='https://office.test/edit?'/>"


def test_actions_that_no_browser_may_be_sent_to_are_dropped_and_counted() -> None:
    bad = "<action name='edit' ext='x' urlsrc='https://office.test; script-src *'/>"
    found = parse_discovery(discovery(GOOD + bad + bad.replace("https", "javascript")))
    assert [a.ext for a in found.actions] == ["odt"]
    assert found.dropped == 2


@pytest.mark.parametrize(
    "actions", [GOOD * (ACTIONS_MAX + 1), "<a/>" * (3 * ACTIONS_MAX), "<a>" * (5 * ACTIONS_MAX)]
)
def test_a_discovery_of_too_many_elements_is_refused(actions: str) -> None:
    with pytest.raises(InvalidDiscoveryError):
        parse_discovery(discovery(actions))


def number(bits: int) -> str:
    value = (1 << (bits - 1)) | 1
    return base64.b64encode(value.to_bytes((bits + 7) // 8, "big")).decode()


@pytest.mark.parametrize(("bits", "exponent_bits"), [(4160, 17), (16384, 17), (2048, 2048)])
def test_a_key_that_takes_long_is_refused(bits: int, exponent_bits: int) -> None:
    key = PublicKey(number(bits), number(exponent_bits))
    assert load_key(key) is None
    element = f"<proof-key modulus='{key.modulus}' exponent='{key.exponent}'/>"
    with pytest.raises(InvalidDiscoveryError):
        parse_discovery(discovery(GOOD, element))


@pytest.mark.parametrize("bits", [2048, 4096])
def test_a_key_of_usual_length_is_used(bits: int) -> None:
    assert load_key(PublicKey(number(bits), number(17))) is not None


def test_a_forged_proof_is_answered_soon_however_many_keys_there_are() -> None:
    keys = [
        ProofKeys(PublicKey(number(4095 - n), number(17)), PublicKey(number(4094 - n), number(17)))
        for n in range(100)
    ]
    one, two = (base64.b64encode(bytes([n]) * 512).decode() for n in (1, 2))
    forged = ProofHeaders(one, two, "1")
    verifies(forged, b"warm", keys[:KEYS_MAX])
    began_s = time.process_time()
    assert not verifies(forged, b"signed", keys)
    assert time.process_time() - began_s < 0.25


def test_a_signature_that_is_too_long_is_not_even_decoded() -> None:
    keys = [ProofKeys(PublicKey(number(2048), number(17)))]
    assert not verifies(ProofHeaders("A" * 10_000_000, "", "1"), b"signed", keys)
