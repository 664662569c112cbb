"""The emulated OnlyOffice sends what a real one was recorded to send."""

import json
from pathlib import Path
from typing import Any

import httpx

from genro_wopi.protocol.put_file import parse_put_file_headers
from tests.emulators.editors import OnlyOffice, Told

RECORDED = Path(__file__).parent.parent / "protocol" / "recorded" / "onlyoffice.json"
REQUESTS: list[dict[str, Any]] = json.loads(RECORDED.read_text())["requests"]
NOT_EMULATED = {"x-wopi-editors", "x-wopi-maxexpectedsize"}
"""What decides nothing."""

Sent = tuple[str, str, str, frozenset[str]]
"""Person, operation, what of the stamps is the same as before, and the names of the headers."""


def recorded(scenario: str) -> list[Sent]:
    return [
        _sent(r["person"], r["method"], r["path"], r["headers"])
        for r in REQUESTS
        if r["scenario"] == scenario
    ]


def _sent(person: str, method: str, path: str, headers: dict[str, str]) -> Sent:
    names = {name.lower(): value for name, value in headers.items()}
    contents = "contents" if path.endswith("/contents") else ""
    operation = f"{method} {names.get('x-wopi-override', '')}{contents and ' contents'}"
    lock = "its lock" if "x-wopi-lock" in names else ""
    return person, operation, lock, frozenset(names) - NOT_EMULATED


class Host:
    """Notes what is asked and agrees to everything."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.stamps: list[str] = []
        self.versions = 0

    async def send(
        self, method: str, suffix: str, token: str, headers: dict[str, str], body: bytes
    ) -> httpx.Response:
        del body
        self.sent.append(_sent(token, method, suffix, headers))
        if headers.get("X-WOPI-Override") == "PUT":
            self.versions += 1
            self.stamps.append(headers["X-LOOL-WOPI-Timestamp"])
        if method == "GET" and suffix:
            return httpx.Response(200, content=b"[]")
        return httpx.Response(200, json={"LastModifiedTime": str(self.versions)})


async def test_two_people_who_save_in_turn() -> None:
    host = Host()
    server = OnlyOffice(host.send, Told(), lock="key")
    for person in ("Anna", "Bert"):
        await server.join(person)
    for user in (0, 1, 0):
        server.type(user)
        await server.save()
    server.type(0)
    await server.save()
    server.type(1)
    await server.close()
    assert host.sent == recorded("two users, saves in turn")
    assert host.stamps == ["0", "1", "2", "3", "4"], "of the last answer, whosever it was"


async def test_who_leaves_after_a_save_sends_the_same_bytes_without_a_flag() -> None:
    host = Host()
    server = OnlyOffice(host.send, Told(), lock="key")
    await server.join("Anna")
    for _ in range(3):
        server.type(0)
        await server.save()
    await server.close()
    assert host.sent == recorded("two servers")


def test_what_is_false_was_left_out() -> None:
    saves = [r for r in REQUESTS if r["headers"].get("x-wopi-override") == "PUT"]
    assert saves
    for save in saves:
        parsed = parse_put_file_headers(save["headers"])
        has_stamp = "x-lool-wopi-timestamp" in save["headers"]
        flag = save["headers"].get("x-lool-wopi-ismodifiedbyuser")
        assert parsed.is_modified_by_user is (flag == "true" if has_stamp else None)
