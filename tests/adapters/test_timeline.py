"""Timelines: several replicas write into the one of a session."""

from genro_wopi.adapters.redis.client import RedisClient
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
