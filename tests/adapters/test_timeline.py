"""Timelines: several replicas write into the one of a session, for as long as they are kept."""

import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.keys import timeline as timeline_key
from genro_wopi.adapters.redis.timeline import (
    ENTRIES_MAX,
    SESSIONS_AT_ONCE,
    WAITING_MAX,
    RedisTimeline,
)
from genro_wopi.domain.identifiers import new_file_id, new_session_id
from genro_wopi.domain.timeline import TimelineEntry


async def test_what_replicas_wrote_in_turns_is_read_in_the_order_it_happened(
    redis: RedisClient,
) -> None:
    session_id = new_session_id(new_file_id(1))
    one, two = RedisTimeline(redis), RedisTimeline(redis)
    one.note(session_id, TimelineEntry(at_us=1, what="check_file_info"))
    two.note(session_id, TimelineEntry(at_us=2, what="get_file"))
    one.note(session_id, TimelineEntry(at_us=3, what="lock"))
    await two.flush()
    await one.flush()
    assert [e.what for e in await one.read(session_id)] == ["check_file_info", "get_file", "lock"]


@pytest.mark.parametrize(("kept_hours", "expected"), [(1, 1), (0, 0)])
async def test_a_timeline_lasts_as_long_as_the_setting_says(
    redis: RedisClient, kept_hours: int, expected: int
) -> None:
    session_id = new_session_id(new_file_id(1))
    timeline = RedisTimeline(redis, kept_hours=kept_hours)
    timeline.note(session_id, TimelineEntry(at_us=1, what="lock"))
    await timeline.flush()
    assert len(await timeline.read(session_id)) == expected
    key = timeline_key(session_id)
    assert key is not None
    assert await redis.call("TTL", key) == (3600 * kept_hours or -2)


async def test_of_a_busy_session_the_newest_entries_stay(redis: RedisClient) -> None:
    session_id, timeline = new_session_id(new_file_id(1)), RedisTimeline(redis)
    for part in range(2):
        for number in range(ENTRIES_MAX):
            timeline.note(session_id, TimelineEntry(at_us=part * ENTRIES_MAX + number, what="lock"))
        timeline.note(session_id, TimelineEntry(at_us=(part + 1) * ENTRIES_MAX, what="unlock"))
        await timeline.flush()
    entries = await timeline.read(session_id)
    assert len(entries) == ENTRIES_MAX
    assert entries[-1].what == "unlock"
    assert [e.at_us for e in entries] == [ENTRIES_MAX + 1 + n for n in range(ENTRIES_MAX)]


async def test_many_sessions_are_written_in_parts(redis: RedisClient) -> None:
    sessions = [new_session_id(new_file_id(1)) for _ in range(SESSIONS_AT_ONCE * 2 + 1)]
    timeline = RedisTimeline(redis)
    for session_id in sessions:
        timeline.note(session_id, TimelineEntry(at_us=1, what="lock"))
    await timeline.flush()
    assert all([len(await timeline.read(session_id)) == 1 for session_id in sessions])


async def test_what_waits_is_bounded(redis: RedisClient) -> None:
    timeline = RedisTimeline(redis)
    first = new_session_id(new_file_id(1))
    timeline.note(first, TimelineEntry(at_us=1, what="lock"))
    for _ in range(WAITING_MAX - 1):
        timeline.note(new_session_id(new_file_id(1)), TimelineEntry(at_us=2, what="lock"))
    timeline.note(first, TimelineEntry(at_us=3, what="unlock"))
    await timeline.flush()
    assert [e.what for e in await timeline.read(first)] == ["lock"]
