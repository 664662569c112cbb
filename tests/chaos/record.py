"""What the clients of a run were told, kept outside of the host, and what it is checked against."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import httpx

from tests.support.cluster import Application

ANNOUNCED_S = 75.0
"""A lost publication is found after half a minute; the claim of a killed worker lapses sooner."""

NOT_FOUND = 404
TOO_MANY = 429


@dataclass
class Record:
    """Notes of one run."""

    acknowledged: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """Version by update, by document."""
    versions: set[str] = field(default_factory=set[str])
    """Of saves that editors were told are stored; each must be announced."""
    refused: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Updates of saves that were answered 409 after the whole body, by document."""
    counts: Counter[str] = field(default_factory=Counter[str])
    faults: Counter[str] = field(default_factory=Counter[str])
    violations: list[str] = field(default_factory=list[str])
    """Answers that make an editor throw its session away."""
    longest_outage_s: float = 0.0
    """How long at most a steady client, beside all faults, was without a successful save."""

    def acknowledge(self, path: str, updates: Iterable[str], version: str) -> None:
        known = self.acknowledged.setdefault(path, {})
        for update in updates:
            known.setdefault(update, version)

    def refuse(self, path: str, updates: Iterable[str]) -> None:
        self.refused.setdefault(path, set()).update(updates)


@dataclass
class Verdict:
    """What became of everything that was told."""

    acknowledged: int
    only_kept: int
    """Only in an older version, of a document that somebody chose to overwrite."""
    lost: list[str]
    overwritten: list[str]
    """Only in an older version, though no event says that somebody chose to."""
    thrown_away: list[str]
    unheard: set[str]
    violations: list[str]

    @property
    def is_good(self) -> bool:
        bad = self.lost or self.overwritten or self.thrown_away or self.unheard or self.violations
        return self.acknowledged > 0 and not bad

    def rows(self) -> list[tuple[int, str]]:
        """Return counts with what they count."""
        return [
            (self.acknowledged, "updates acknowledged"),
            (
                self.only_kept,
                "of them only in a version: overwritten by order, says an event",
            ),
            (len(self.lost), f"of them LOST {_some(self.lost)}"),
            (len(self.overwritten), f"of them overwritten unasked {_some(self.overwritten)}"),
            (len(self.thrown_away), f"refused and thrown away {_some(self.thrown_away)}"),
            (len(self.unheard), f"saves without an event {_some(sorted(self.unheard))}"),
            (len(self.violations), f"wrong statuses {_some(self.violations)}"),
        ]


def _some(found: list[str]) -> str:
    return ", ".join(found[:3])


@dataclass(frozen=True)
class Shelf:
    """One tenant's storage, read through the management API."""

    http: httpx.AsyncClient
    storage: str = "docs"

    async def content(self, path: str, **query: str) -> set[str]:
        """Return the updates of a document, or of a version of it."""
        url = f"/api/storages/{self.storage}/files/content"
        answer = await self._get(url, {"path": path, **query})
        if "version" in query and answer.status_code == NOT_FOUND:
            return set()  # Merged into a newer version of the same bytes, which is read too.
        answer.raise_for_status()
        return set(json.loads(answer.content))

    async def kept(self, path: str) -> set[str]:
        """Return the updates of all versions of a document."""
        url = f"/api/storages/{self.storage}/files/versions"
        found: set[str] = set()
        query = {"path": path, "limit": "1000"}
        while True:
            page = (await self._get(url, query)).raise_for_status().json()
            for version in page["items"]:
                found |= await self.content(path, version=version["version"])
            if not page.get("next_cursor"):
                return found
            query["cursor"] = page["next_cursor"]

    async def rescued(self) -> set[str]:
        """Return the updates of all recovery copies."""
        found: set[str] = set()
        query = {"limit": "1000"}
        while True:
            page = (await self._get("/api/recovery", query)).raise_for_status().json()
            for item in page["items"]:
                answer = await self._get(f"/api/recovery/{item['recovery_id']}/content", {})
                found |= set(json.loads(answer.raise_for_status().content))
            if not page["next_cursor"]:
                return found
            query["cursor"] = page["next_cursor"]

    async def _get(self, url: str, query: dict[str, str]) -> httpx.Response:
        """Ask, as slowly as the tenant's rate allows."""
        while True:
            answer = await self.http.get(url, params=query)
            if answer.status_code != TOO_MANY:
                return answer
            await asyncio.sleep(float(answer.headers["Retry-After"]))

    async def repair(self) -> int:
        """Do what the runbook says after a failover: register what Redis has forgotten."""
        url = f"/api/storages/{self.storage}/fsck"
        query: dict[str, object] = {"repair": True, "limit": 1000}
        repaired = 0
        while True:
            page = (await self.http.post(url, json=query)).raise_for_status().json()
            repaired += sum(item["repaired"] for item in page["items"])
            if not page["next_cursor"]:
                return repaired
            query["cursor"] = page["next_cursor"]


async def judge(record: Record, shelves: list[Shelf], *applications: Application) -> Verdict:
    """Look for everything that was told, once all is quiet.

    Args:
        record: what the clients were told.
        shelves: the storages that hold the documents; several show the same bucket.
        applications: which got the events.
    """
    unheard = await _unheard(record, applications)
    forced = {str(e["file_path"]) for a in applications for e in a.events if e.get("forced")}
    lost, overwritten, only_kept = list[str](), list[str](), 0
    for path, updates in record.acknowledged.items():
        missing = set(updates) - await shelves[0].content(path)
        kept = await shelves[0].kept(path) if missing else set[str]()
        lost += [f"{path}: {update}" for update in missing - kept]
        if path in forced:
            only_kept += len(missing & kept)
        else:
            overwritten += [f"{path}: {update}" for update in missing & kept]
    rescued = set[str]().union(*[await shelf.rescued() for shelf in shelves])
    thrown_away = [
        f"{path}: {update}"
        for path, updates in record.refused.items()
        for update in updates - rescued - set(record.acknowledged.get(path, {}))
    ]
    return Verdict(
        acknowledged=sum(len(u) for u in record.acknowledged.values()),
        only_kept=only_kept,
        lost=lost,
        overwritten=overwritten,
        thrown_away=thrown_away,
        unheard=unheard,
        violations=record.violations,
    )


async def _unheard(record: Record, applications: Sequence[Application]) -> set[str]:
    """Return versions that were not announced, after all that may still be under way."""
    end = time.monotonic() + ANNOUNCED_S
    while True:
        events = [event for application in applications for event in application.events]
        unheard = record.versions - {str(e.get("version")) for e in events}
        if not unheard or time.monotonic() > end:
            record.counts["events delivered"] = len(events)
            return unheard
        await asyncio.sleep(0.5)
