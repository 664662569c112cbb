"""Those who edit one document, as the emulated editors do, again and again until told to stop.

A document is the set of updates that were ever typed into it. So an update that was acknowledged
and is gone can be named.
"""

import asyncio
import json
import random
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

import httpx

from tests.chaos.record import Record
from tests.emulators.editors import Collabora, Microsoft, OnlyOffice, Told

CLIENT_TIMEOUT_S = 30.0
"""Collabora gives a PutFile this long."""

RETRY_PAUSE_S = 0.4
LATE = 0.05
"""How often a save arrives a second time."""

LATE_S = 6.0
OVERWRITES = 0.3
"""How often a person answers the conflict dialog with: mine counts."""

PADDING_MAX = 60_000
VERSIONS = ("22.05", "24.04", "25.04")


class Habit(StrEnum):
    """Which editor a document is edited with; also the name under which it is configured."""

    COLLABORA = "collabora"
    ONLYOFFICE = "onlyoffice"
    MICROSOFT = "m365"


@dataclass(frozen=True)
class Ways:
    """How clients reach a cluster."""

    api: httpx.AsyncClient
    """The gateway, with a tenant's key."""
    wopi: httpx.AsyncClient
    """Whatever stands before the wopi-services."""
    storage: str = "docs"


@dataclass
class People:
    """Some people at one document, through one editor."""

    ways: Ways
    record: Record
    path: str
    habit: Habit
    count: int
    chance: random.Random
    stop: asyncio.Event
    pause_s: float = 1.0
    """About how long somebody types between two saves."""
    _src: str = ""
    _late: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def run(self) -> None:
        while not self.stop.is_set():
            told = Told()
            await self._edit_once(told)
            self.record.violations += told.wrong
            await asyncio.sleep(self.chance.uniform(0.2, 1.0) * self.pause_s)
        await asyncio.gather(*self._late)

    async def _edit_once(self, told: Told) -> None:
        document = self._document(told)
        tokens = [await self._session() for _ in range(self.count)]
        joined = [await document.join(token) for token in tokens if token]
        if not document.is_open:
            self.record.counts["not opened"] += 1
            if document.lock and joined:
                await document.change_lock("UNLOCK", next(t for t in tokens if t))
            return
        for _ in range(self.chance.randint(1, 6)):
            if self.stop.is_set() or document.in_conflict:
                break
            await asyncio.sleep(self.chance.uniform(0.1, 2.0) * self.pause_s)
            document.type()
            document.padding_bytes = self.chance.randrange(PADDING_MAX)
            await self._save(document)
        await self._close(document)

    def _document(self, told: Told) -> Collabora | OnlyOffice | Microsoft:
        if self.habit is Habit.COLLABORA:
            return Collabora(self._send, told, version=self.chance.choice(VERSIONS))
        if self.habit is Habit.ONLYOFFICE:
            return OnlyOffice(self._send, told, lock=f"key-of-{self.path}")
        return Microsoft(self._send, told)

    async def _save(self, document: Collabora | OnlyOffice | Microsoft) -> None:
        user = self.chance.randrange(self.count)
        if isinstance(document, OnlyOffice):
            await document.save()
            return
        if isinstance(document, Microsoft) and self.chance.random() < 0.2:
            await document.relock(user)
        await document.save(user)
        if not isinstance(document, Collabora) or not document.in_conflict:
            return
        if self.chance.random() < OVERWRITES:
            self.record.counts["overwritten by choice"] += 1
            await document.overwrite(user)

    async def _close(self, document: Collabora | OnlyOffice | Microsoft) -> None:
        if self.chance.random() < 0.3 and not document.in_conflict:
            document.type()
        if isinstance(document, OnlyOffice):
            await document.close()
        else:
            await document.close(self.chance.randrange(self.count))

    async def _session(self) -> str:
        """Return a new person's token; empty where none is to be had now."""
        session = {
            "storage_name": self.ways.storage,
            "file_path": self.path,
            "permissions": ["view", "edit"],
            "account": "chaos",
            "user": uuid.uuid4().hex[:6],
            "editor": self.habit.value,
        }
        try:
            made = await self.ways.api.post("/api/sessions/create", json=session)
        except httpx.HTTPError:
            return ""
        if made.status_code != 201:
            self.record.counts[f"sessions answered {made.status_code}"] += 1
            return ""
        self._src = urlsplit(str(made.json()["wopi_src"])).path
        return str(made.json()["access_token"])

    async def _send(
        self, method: str, suffix: str, token: str, headers: dict[str, str], body: bytes
    ) -> httpx.Response | None:
        answer = await self._ask(method, suffix, token, headers, body)
        if method != "POST" or suffix != "/contents":
            return answer
        if answer is None or answer.status_code >= 500:
            await asyncio.sleep(RETRY_PAUSE_S)
        elif self.chance.random() < LATE:
            late = asyncio.create_task(self._send_late(token, headers, body))
            self._late.add(late)
            late.add_done_callback(self._late.discard)
        return answer

    async def _send_late(self, token: str, headers: dict[str, str], body: bytes) -> None:
        """Let the network bring a save a second time."""
        await asyncio.sleep(self.chance.uniform(0, LATE_S))
        self.record.counts["saves that arrived twice"] += 1
        await self._ask("POST", "/contents", token, headers, body)

    async def _ask(
        self, method: str, suffix: str, token: str, headers: dict[str, str], body: bytes
    ) -> httpx.Response | None:
        try:
            answer = await self.ways.wopi.request(
                method,
                self._src + suffix,
                params={"access_token": token},
                headers=headers,
                content=body or None,
            )
        except httpx.HTTPError:
            self.record.counts["no answer"] += 1
            return None
        if method == "POST" and suffix == "/contents":
            self._note(answer, body)
        return answer

    def _note(self, answer: httpx.Response, body: bytes) -> None:
        updates = json.loads(body)
        if answer.status_code == 200:
            version = answer.headers["X-WOPI-ItemVersion"]
            self.record.acknowledge(self.path, updates, version)
            self.record.versions.add(version)
            self.record.counts["saves acknowledged"] += 1
        elif answer.status_code == 409:
            self.record.refuse(self.path, updates)
            self.record.counts["saves in conflict"] += 1
        else:
            self.record.counts[f"saves answered {answer.status_code}"] += 1
