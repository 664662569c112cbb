"""Proofs that real Collabora servers sent, and what must not pass."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from genro_wopi.protocol.discovery import parse_discovery
from genro_wopi.protocol.proof import (
    ProofHeaders,
    ProofKeys,
    PublicKey,
    is_fresh,
    message,
    parse_ticks,
    verifies,
)
from genro_wopi.protocol.times import us_to_ticks

RECORDED = Path(__file__).parent / "recorded"
REQUESTS: list[dict[str, Any]] = json.loads((RECORDED / "collabora.json").read_text())
IDS = [f"{n}-{r['client']}-{r['operation']}" for n, r in enumerate(REQUESTS)]
DISCOVERY = parse_discovery((RECORDED / "discovery-25.04.xml").read_bytes())
OTHER = PublicKey("AQAB" * 64, "AQAB")
NOW_US = 1_795_000_000_000_000


def proof_of(request: dict[str, Any]) -> tuple[ProofHeaders, bytes]:
    headers: dict[str, str] = {name.lower(): value for name, value in request["headers"]}
    query = parse_qs(urlsplit(str(request["target"])).query)
    url = f"http://{headers['host']}{request['target']}"
    ticks = parse_ticks(headers["x-wopi-timestamp"])
    assert ticks is not None
    signed = message(query["access_token"][0], url, ticks)
    proof = ProofHeaders(headers["x-wopi-proof"], headers["x-wopi-proofold"], str(ticks))
    return proof, signed


def published() -> ProofKeys:
    assert DISCOVERY.proof_keys is not None
    return DISCOVERY.proof_keys


@pytest.mark.parametrize("request_", REQUESTS, ids=IDS)
def test_a_recorded_proof_verifies(request_: dict[str, Any]) -> None:
    proof, signed = proof_of(request_)
    assert verifies(proof, signed, [published()])


@pytest.mark.parametrize("request_", REQUESTS[:5], ids=IDS[:5])
def test_a_changed_url_does_not_verify(request_: dict[str, Any]) -> None:
    proof, signed = proof_of(request_)
    assert not verifies(proof, signed + b"x", [published()])


def test_the_old_signature_counts_under_the_current_key() -> None:
    proof, signed = proof_of(REQUESTS[0])
    assert verifies(ProofHeaders("", proof.proof, proof.ticks), signed, [published()])


def test_the_new_signature_counts_under_the_old_key() -> None:
    proof, signed = proof_of(REQUESTS[0])
    rotated = ProofKeys(OTHER, published().current)
    assert verifies(ProofHeaders(proof.proof, "", proof.ticks), signed, [rotated])


def test_the_old_signature_never_counts_under_the_old_key() -> None:
    proof, signed = proof_of(REQUESTS[0])
    rotated = ProofKeys(OTHER, published().current)
    assert not verifies(ProofHeaders("", proof.proof, proof.ticks), signed, [rotated])


@pytest.mark.parametrize("junk", ["", "x", "A" * 5000, "ÄÖÜ", "====", "AAAA"])
def test_a_junk_signature_is_refused_and_does_not_crash(junk: str) -> None:
    assert not verifies(ProofHeaders(junk, junk, "1"), b"signed", [published()])


def test_a_junk_key_is_refused_and_does_not_crash() -> None:
    proof, signed = proof_of(REQUESTS[0])
    assert not verifies(proof, signed, [ProofKeys(PublicKey("!!", "AQAB"))])


@pytest.mark.parametrize(
    ("age_minutes", "fresh"), [(0, True), (19, True), (21, False), (-4, True), (-6, False)]
)
def test_a_proof_is_fresh_for_twenty_minutes(age_minutes: int, fresh: bool) -> None:
    ticks = us_to_ticks(NOW_US - age_minutes * 60_000_000)
    assert is_fresh(ticks, NOW_US) is fresh


@pytest.mark.parametrize("value", ["", "-1", "12a", "9" * 30, "١٢٣"])
def test_ticks_that_are_no_number_are_refused(value: str) -> None:
    assert parse_ticks(value) is None
