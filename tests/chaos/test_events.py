"""A short run of what `make chaos ARGS=events` does for long."""

from dataclasses import replace

import pytest

from genro_wopi.callback_worker.operations.deliver import TAKEN_MAX
from tests.chaos.events import killed_processes, scene


@pytest.mark.check
async def test_no_event_is_lost_while_workers_and_redis_are_killed() -> None:
    async with scene() as running:
        verdict = await killed_processes(running, count=1500, seed=3)
    assert verdict.events >= 1500
    assert replace(verdict, duplicates=0).is_good, verdict
    kills = sum(int(count) for count, what in verdict.notes if what == "kill -9 worker")
    assert verdict.duplicates <= kills * TAKEN_MAX, "a killed worker repeats what it had in hand"
