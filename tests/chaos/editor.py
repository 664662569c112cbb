"""An editor as Collabora behaves, whose document is the set of updates that it holds.

A document is JSON: the ids of all updates that were ever typed into it, and some padding. So an
update that was acknowledged and is gone can be named.
"""

import asyncio
import json
import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

import httpx

CLIENT_TIMEOUT_S = 30.0
"""Collabora gives a PutFile this long."""

ATTEMPTS = 6
TICKS_AT_1970 = 621_355_968_000_000_000
FORBIDDEN = frozenset({401, 403, 404, 413})
"""What a fault of ours must never look like: with these the user loses the session."""


@dataclass
class Record:
    """What the clients were told: kept here, outside of the host."""

    acknowledged: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """Version by update, by document."""
    versions: set[str] = field(default_factory=set[str])
    """Of saves that editors were told are stored; each must be announced."""
    refused: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Updates of saves that were answered 409 after the whole body, by document."""
    counts: Counter[str] = field(default_factory=Counter[str])
    violations: list[str] = field(default_factory=list[str])

    def acknowledge(self, path: str, updates: set[str], version: str) -> None:
        known = self.acknowledged.setdefault(path, {})
        for update in updates:
            known.setdefault(update, version)


def ticks() -> str:
    return str(time.time_ns() // 100 + TICKS_AT_1970)


def encode(updates: set[str], chance: random.Random) -> bytes:
    return json.dumps(
        {"updates": sorted(updates), "padding": "x" * chance.randrange(60_000)}
    ).encode()


class Editor:
    """One person at one document, again and again, until told to stop."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        record: Record,
        path: str,
        chance: random.Random,
        stop: asyncio.Event,
    ) -> None:
        self._http, self._record, self._path = http, record, path
        self._chance, self._stop = chance, stop
        self._retries_with_timestamp = chance.random() < 0.5
        """22.05 repeats a save with its timestamp; 24.04 without."""

    async def run(self) -> None:
        while not self._stop.is_set():
            await self._edit_once()
            await asyncio.sleep(self._chance.uniform(0.05, 0.4))

    async def _edit_once(self) -> None:
        lock = f"cool-lock{self._chance.randrange(16**8):08x}"
        updates = await self._open(lock)
        if updates is None:
            return
        for _ in range(self._chance.randint(1, 6)):
            if self._stop.is_set():
                break
            await asyncio.sleep(self._chance.uniform(0.0, 0.3))
            updates.add(uuid.uuid4().hex[:12])
            if not await self._save(updates, lock):
                break  # In conflict: the person discards and opens again.
        await self._wopi("POST", "", {"X-WOPI-Override": "UNLOCK", "X-WOPI-Lock": lock})

    async def _open(self, lock: str) -> set[str] | None:
        """Open and lock the document; None where it cannot be edited now."""
        session = {
            "storage_name": "docs",
            "file_path": self._path,
            "permissions": ["view", "edit"],
            "account": "chaos",
            "user": uuid.uuid4().hex[:6],
        }
        made = await self._send("POST", "/api/sessions/create", json=session)
        if made is None or made.status_code != 201:
            return None
        self._src = str(made.json()["wopi_src"])
        self._token = str(made.json()["access_token"])
        headers = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": lock}
        if await self._fetched("POST", "", headers) is None:
            self._record.counts["locks refused"] += 1
            return None
        content = await self._fetched("GET", "/contents")
        info = await self._fetched("GET", "")
        is_same = (
            content and info and content.headers["X-WOPI-ItemVersion"] == info.json()["Version"]
        )
        if content is None or info is None or not is_same:
            await self._wopi("POST", "", {"X-WOPI-Override": "UNLOCK", "X-WOPI-Lock": lock})
            return None
        self._stamp = str(info.json()["LastModifiedTime"])
        return set(json.loads(content.content)["updates"])

    async def _fetched(
        self, method: str, suffix: str, headers: dict[str, str] | None = None
    ) -> httpx.Response | None:
        answer = await self._wopi(method, suffix, headers)
        return answer if answer is not None and answer.status_code == 200 else None

    async def _save(self, updates: set[str], lock: str) -> bool:
        body = encode(updates, self._chance)
        for attempt in range(ATTEMPTS):
            headers = {
                "X-WOPI-Override": "PUT",
                "X-WOPI-Lock": lock,
                "X-COOL-WOPI-IsModifiedByUser": "true",
                "X-COOL-WOPI-IsAutosave": "true",
            }
            if attempt == 0 or self._retries_with_timestamp:
                headers["X-COOL-WOPI-Timestamp"] = self._stamp
            answer = await self._wopi("POST", "/contents", headers, body)
            if answer is not None and answer.status_code == 200:
                self._stamp = str(answer.json()["LastModifiedTime"])
                version = answer.headers["X-WOPI-ItemVersion"]
                self._record.acknowledge(self._path, updates, version)
                self._record.versions.add(version)
                self._record.counts["saves acknowledged"] += 1
                return True
            if answer is not None and answer.status_code == 409:
                self._record.counts["saves in conflict"] += 1
                self._record.refused.setdefault(self._path, set()).update(updates)
                return False
            self._record.counts["saves tried again"] += 1
            await self._wopi("GET", "")
            await asyncio.sleep(0.3)
        self._record.counts["saves given up"] += 1
        return False

    async def _wopi(
        self, method: str, suffix: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> httpx.Response | None:
        url = f"{self._src}{suffix}?access_token={self._token}"
        sent = {"X-WOPI-TimeStamp": ticks(), **(headers or {})}
        answer = await self._send(method, url, headers=sent, content=body or None)
        if answer is not None and answer.status_code in FORBIDDEN:
            operation = sent.get("X-WOPI-Override", method)
            self._record.violations.append(
                f"{answer.status_code} to {operation} {suffix}: {answer.text[:120]}"
            )
        return answer

    async def _send(self, method: str, url: str, **more: object) -> httpx.Response | None:
        try:
            return await self._http.request(method, url, **more)  # type: ignore[arg-type]
        except httpx.HTTPError:
            self._record.counts["no answer"] += 1
            return None
