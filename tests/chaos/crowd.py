"""Many people at many documents, and the other programs that write these."""

import asyncio
import json
import random
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass

import httpx

from tests.chaos import stage
from tests.chaos.people import Habit, People, Ways
from tests.chaos.record import Record, Verdict

WRITTEN_OUTSIDE = 0.25
"""Share of the documents that other programs write, too."""

CONTENT = f"/api/storages/{stage.STORAGE}/files/content"

Group = tuple[str, Habit, int]
"""Path, habit, how many people through one editor."""


@dataclass
class EditingRun:
    """What happened."""

    record: Record
    verdict: Verdict

    @property
    def is_good(self) -> bool:
        return self.verdict.is_good

    def rows(self) -> list[tuple[float, str]]:
        """Return counts with what they count: faults, answers, what became of them."""
        faults = sorted((n, name) for name, n in self.record.faults.items())
        counts = sorted((n, name) for name, n in self.record.counts.items())
        outage_s = round(self.record.longest_outage_s, 1)
        outage = [(outage_s, "s at most without a save by a steady client")] if outage_s else []
        return [*faults, *counts, *outage, *self.verdict.rows()]


def cast(people: int) -> list[Group]:
    """Say who edits what with what."""
    groups: list[Group] = []
    number = 0
    while sum(count for _, _, count in groups) < people:
        kind = number % 10
        path = f"document-{number}.odt"
        if kind < 5:
            groups.append((path, Habit.COLLABORA, 2))
        elif kind < 7:  # Two processes that do not know of each other, for want of routing.
            groups += [(path, Habit.COLLABORA, 1), (path, Habit.COLLABORA, 1)]
        elif kind == 7:
            groups.append((path, Habit.ONLYOFFICE, 2))
        else:
            groups.append((path, Habit.MICROSOFT, 2))
        number += 1
    return groups


def paths_of(groups: Iterable[Group]) -> list[str]:
    """Return the documents of some groups."""
    return sorted({path for path, _, _ in groups})


async def let_edit(
    ways: Sequence[Ways],
    record: Record,
    groups: Sequence[Group],
    seed: int,
    meanwhile: Awaitable[None],
) -> None:
    """Let people edit, and other programs write, for as long as something else takes.

    Args:
        ways: the groups use them in turn.
        record: of what they are told.
        groups: who edits what.
        seed: decides what each does.
        meanwhile: when it is over, all finish what they are at.
    """
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for number, (path, habit, count) in enumerate(groups):
            own = random.Random(f"{seed} people {number}")
            way = ways[number % len(ways)]
            tasks.create_task(People(way, record, path, habit, count, own, stop).run())
        for path in paths_of(groups):
            own = random.Random(f"{seed} outside {path}")
            if own.random() < WRITTEN_OUTSIDE:
                tasks.create_task(_write_outside(ways[0].api, record, path, own, stop))
        await meanwhile
        stop.set()


async def _write_outside(
    api: httpx.AsyncClient, record: Record, path: str, chance: random.Random, stop: asyncio.Event
) -> None:
    """Change a document past its editors, as another program would, and never blindly."""
    number = 0
    while not stop.is_set():
        await asyncio.sleep(chance.uniform(2, 10))
        try:
            now = await api.get(CONTENT, params={"path": path})
            if now.status_code != 200:
                continue
            updates = {*json.loads(now.content), f"outside-{path}-{number}"}
            headers = {"If-Match": now.headers["ETag"]}
            content = json.dumps(sorted(updates)).encode()
            put = await api.put(CONTENT, params={"path": path}, content=content, headers=headers)
        except httpx.HTTPError:
            continue
        number += 1
        if put.status_code == 200:
            record.acknowledge(path, updates, str(put.json()["version"]))
            record.counts["outside writes"] += 1
