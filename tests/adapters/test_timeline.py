"""Timelines: several replicas write into the one of a session, for as long as they are kept."""

import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.keys import timeline as timeline_key
from genro_wopi.adapters.redis.timeline import RedisTimeline
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
