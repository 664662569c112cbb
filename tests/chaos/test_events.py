"""A short run of what `make chaos ARGS=events` does for long."""

from tests.chaos.events import killed_processes, scene


async def test_no_event_is_lost_while_workers_and_redis_are_killed() -> None:
    async with scene() as running:
        verdict = await killed_processes(running, count=1500, seed=3)
    assert verdict.events >= 1500
    assert verdict.is_good, verdict
