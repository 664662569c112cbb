"""The doctor: what is wrong with an editor is named with its remedy."""

import base64
import json
import ssl
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from genro_wopi.domain.editors import ProofPolicy
from genro_wopi.gateway.operations.doctor.case import Case
from genro_wopi.gateway.operations.doctor.editor_checks import examine_editors, refuses_frames
from tests.adapters.test_egress import own_authority
from tests.support.doctor import NOWHERE, Doctor, found
from tests.support.raw_http import Asked, Told, answering

pytestmark = pytest.mark.flow


class Office365:
    """An editor whose every answer can be had wrong."""

    def __init__(self, **changes: Any) -> None:
        self.changes = changes
        self.asked: list[Asked] = []
        self.fetched = 0
        self.place = ""

    def __call__(self, asked: Asked) -> Told:
        self.asked.append(asked)
        headers = {"Date": formatdate(time.time() + self.changes.get("clock_s", 0), usegmt=True)}
        if asked.target == "/hosting/discovery":
            self.fetched += 1
            return Told(200, headers, self._discovery().encode())
        if asked.target == "/hosting/wopiAccessCheck":
            status = self.changes.get("access", "Ok")
            return Told(200, headers, json.dumps({"status": status}).encode())
        return Told(200, headers | self.changes.get("page", {}), b"<html>")

    def _discovery(self) -> str:
        place = self.changes.get("calls_itself", f"http://{self.place}")
        key = self.fetched if self.changes.get("key_per_pod") else 1
        modulus = base64.b64encode(b"\x90" + bytes([key]) * 127).decode()
        proof = f'<proof-key modulus="{modulus}" exponent="AQAB"/>'
        return (
            '<wopi-discovery><net-zone name="external-http"><app name="writer">'
            f'<action name="edit" ext="odt" urlsrc="{place}/cool.html?"/></app></net-zone>'
            f"{'' if self.changes.get('unsigned') else proof}</wopi-discovery>"
        )


@pytest.mark.parametrize(
    ("changes", "configured", "check", "words"),
    [
        ({"unsigned": True}, {"proof": ProofPolicy.REQUIRED}, "editor.proof", "generate-proof-key"),
        ({"unsigned": True}, {}, "editor.proof", "generate-proof-key"),
        ({}, {"proof": ProofPolicy.OFF}, "editor.proof", "--proof required"),
        ({"key_per_pod": True}, {}, "editor.proof-keys", "same /etc/coolwsd/proof_key"),
        ({"clock_s": 1500}, {}, "editor.clock", "set-ntp true"),
        ({"calls_itself": "http://other"}, {}, "editor.address", "<server_name>127.0.0.1"),
        ({}, {"extensions": ("odt", "dwg")}, "editor.extensions", "--extensions"),
        ({"access": "HostUnReachable"}, {}, "editor.reaches-us", '<host allow="true">http://127'),
        (
            {"page": {"Content-Security-Policy": "frame-ancestors 'self' other.example"}},
            {},
            "editor.frames",
            "<frame_ancestors>127.0.0.1",
        ),
        ({"page": {"X-Frame-Options": "SAMEORIGIN"}}, {}, "editor.frames", "X-Frame-Options"),
    ],
    ids=str,
)
async def test_an_editor_that_is_set_up_wrong_is_named(
    doctor: Doctor,
    changes: dict[str, Any],
    configured: dict[str, Any],
    check: str,
    words: str,
) -> None:
    editor = Office365(**changes)
    async with answering(editor) as editor.place:
        findings = await doctor.editor({"url": f"http://{editor.place}", **configured})
    assert set(findings) == {check}
    assert words in findings[check].remedy


async def test_an_editor_that_is_well_is_asked_to_call_back(doctor: Doctor) -> None:
    editor = Office365()
    async with answering(editor) as editor.place:
        assert await doctor.editor({"url": f"http://{editor.place}"}) == {}
    asked = next(a for a in editor.asked if a.target == "/hosting/wopiAccessCheck")
    assert "/wopi/doctor/" in json.loads(asked.body)["callbackUrl"]


async def test_an_http_editor_in_an_https_page_is_named(doctor: Doctor) -> None:
    editor = Office365()
    async with answering(editor) as editor.place:
        findings = await doctor.editor(
            {"url": f"http://{editor.place}"}, WOPI_PUBLIC_URL="https://wopi.example.org"
        )
    assert "editor.mixed-content" in findings


async def test_an_editor_that_does_not_answer_is_named(doctor: Doctor) -> None:
    assert set(await doctor.editor({"url": NOWHERE})) == {"editor.discovery"}
    async with answering(lambda _asked: Told(body=b"<html>no discovery</html>")) as place:
        assert set(await doctor.editor({"url": f"http://{place}"})) == {"editor.discovery"}
    refused = await doctor.editor({"url": NOWHERE}, WOPI_EDITOR_ALLOW="10.0.0.0/8")
    assert "WOPI_EDITOR_ALLOW" in refused["editor.discovery"].remedy


async def test_a_certificate_that_ends_soon_is_named(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, context = own_authority(tmp_path)  # It ends tomorrow.
    (tmp_path / "ca.pem").write_text(pem)
    monkeypatch.setattr(
        "httpcore._async.connection.default_ssl_context",
        lambda: ssl.create_default_context(cafile=str(tmp_path / "ca.pem")),
    )
    editor = Office365()
    async with answering(editor, context) as editor.place:
        editor.changes["calls_itself"] = f"https://{editor.place}"
        findings = await doctor.editor({"url": f"https://{editor.place}"})
    assert set(findings) == {"editor.certificate"}


async def test_no_editor_at_all_is_named(doctor: Doctor) -> None:
    case = Case()
    await examine_editors(case, doctor.office(), ("nobody",), None)
    assert set(found(case)) == {"editors.some"}


@pytest.mark.parametrize(
    ("policy", "is_refused"),
    [
        ("frame-ancestors *", False),
        ("default-src 'self'; frame-ancestors https:", False),
        ("frame-ancestors https://wopi.example.org", False),
        ("frame-ancestors *.example.org", False),
        ("frame-ancestors wopi.example.org:*", False),
        ("frame-ancestors 'none'", True),
        ("frame-ancestors http:", True),
        ("frame-ancestors 'self'", True),
        ("default-src 'self'", False),
    ],
)
def test_who_may_show_a_page_in_a_frame(policy: str, *, is_refused: bool) -> None:
    headers = {"content-security-policy": policy}
    address = "https://office.example.com/cool.html"
    assert bool(refuses_frames(headers, "https://wopi.example.org", address)) is is_refused
