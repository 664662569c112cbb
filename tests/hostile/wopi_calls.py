"""Every operation of WOPI, with every token that an attacker has on every id that it knows."""

import base64
import json
import random
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from genro_wopi.protocol.headers import ContainerOverride, Override
from tests.hostile import values
from tests.hostile.attacker import Attacker, quoted

SUFFIXES = ("", "/contents", "/ancestry", "/ecosystem_pointer", "/children", "/x", "/contents/..")
OVERRIDES = [*sorted({o.value for o in (*Override, *ContainerOverride)}), "COBALT", "", "\u00b2"]
ELSEWHERE = (
    "/wopi/ecosystem",
    "/wopi/ecosystem/root_container_pointer",
    "/wopibootstrapper",
    "/wopi/settings",
    "/wopi/settings/upload",
)
BODY_BYTES = (0, 1, 1_000, 300_000)


@dataclass
class WopiAttacker:
    """An editor that asks for more than it was opened for."""

    attacker: Attacker

    @property
    def chance(self) -> random.Random:
        return self.attacker.chance

    async def call_any(self) -> None:
        """Send a request of WOPI."""
        method, path = self._target()
        query = {"access_token": self.token()}
        override = self.chance.choice(OVERRIDES)
        headers = self._headers() | {"X-WOPI-Override": override}
        body = self._body(override) if method == "POST" else None
        answer = await self.attacker.ask(method, path, query=query, headers=headers, body=body)
        self.attacker.record.counts[f"WOPI requests: {override or method}"] += 1
        if answer is not None and answer.is_success:
            self._follow(answer.content)

    def token(self) -> str:
        """Draw a token: one that it has, or one that it made of it."""
        own = self.attacker.pool.draw(self.chance, "access_token") or "none"
        chance = self.chance.random()
        if chance < 0.8:
            return own
        return forged(own, self._file_id(), self.chance) if chance < 0.95 else own[:-3]

    def _target(self) -> tuple[str, str]:
        method = self.chance.choice(("GET", "GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD"))
        if self.chance.random() < 0.12:
            return method, self.chance.choice(ELSEWHERE)
        place = self.chance.choice(("files", "files", "files", "containers"))
        suffix = self.chance.choice(SUFFIXES) if self.chance.random() < 0.6 else ""
        return method, f"/wopi/{place}/{quoted(self._file_id())}{suffix}"

    def _file_id(self) -> str:
        pool = self.attacker.pool if self.chance.random() < 0.6 else self.attacker.others
        return pool.draw(self.chance, "file_id") or str(values.odd(self.chance, text=True))

    def _headers(self) -> dict[str, str]:
        names = {
            "X-WOPI-Lock": "intruder",
            "X-WOPI-OldLock": "intruder",
            "X-WOPI-SuggestedTarget": "intruder.txt",
            "X-WOPI-RelativeTarget": "payroll.txt",
            "X-WOPI-OverwriteRelativeTarget": "true",
            "X-WOPI-RequestedName": "payroll",
            "X-WOPI-Size": "3",
            "X-WOPI-UrlType": "ReadWrite",
            "X-WOPI-Editors": "intruder",
            "X-WOPI-TimeStamp": "639000000000000000",
            "X-WOPI-Proof": "intruder",
            "X-WOPI-EcosystemOperation": "GET_NEW_ACCESS_TOKEN",
            "X-WOPI-WopiSrc": self._src(),
            "X-COOL-WOPI-Timestamp": "2026-01-01T00:00:00.000000Z",
            "X-COOL-WOPI-ExtendedData": "intruder",
            "Range": "bytes=0-",
            "If-None-Match": '"x"',
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Host": "a.example",
            "Host": "a.example",
        }
        sent = {k: v for k, v in names.items() if self.chance.random() < 0.3}
        for name in list(sent):
            if self.chance.random() < 0.25 and name != "Host":
                sent[name] = str(values.odd(self.chance, text=True))[:7_000]
        return sent

    def _src(self) -> str:
        return f"{self.attacker.http.base_url}wopi/files/{self._file_id()}"

    def _body(self, override: str) -> bytes:
        if override == "ADD_ACTIVITIES":
            return json.dumps({"Activities": [self._activity() for _ in range(5)]}).encode()
        if self.chance.random() < 0.05:
            return values.deep(self.chance)
        return b"intruder" + self.chance.randbytes(self.chance.choice(BODY_BYTES))

    def _activity(self) -> dict[str, Any]:
        kind = self.chance.choice(("Comment", "PeopleMentioned", values.odd(self.chance)))
        return {
            "Type": kind,
            "Id": values.odd(self.chance),
            "Timestamp": values.odd(self.chance),
            "Data": {"ContentId": values.odd(self.chance), "ContentAction": "add"},
        }

    def _follow(self, body: bytes) -> None:
        """Keep tokens and ids of addresses that an answer names."""
        for text in body.decode("latin-1").split('"'):
            if "access_token=" in text:
                parts = urlsplit(text.replace("\\/", "/"))
                token = parts.query.partition("access_token=")[2].partition("&")[0]
                self.attacker.pool.learn("access_token", token)
                self.attacker.pool.learn("file_id", parts.path.rpartition("/")[2])


def forged(token: str, file_id: str, chance: random.Random) -> str:
    """Change what a token says, and keep its signature or leave it out."""
    head, _, rest = token.partition(".")
    payload, _, signature = rest.partition(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return token
    for name, value in list(claims.items()):
        if isinstance(value, str) and chance.random() < 0.3:
            claims[name] = file_id
    if chance.random() < 0.5:
        head = _encoded({"alg": chance.choice(("none", "HS256", "EdDSA")), "typ": "JWT"})
        signature = chance.choice(("", signature))
    return f"{head}.{_encoded(claims)}.{signature}"


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
