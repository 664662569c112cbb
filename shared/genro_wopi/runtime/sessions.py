"""How services that let sessions begin keep them."""

from functools import partial

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.session_index import SessionIndex
from genro_wopi.adapters.redis.session_store import RedisSessionStore
from genro_wopi.runtime import metrics
from genro_wopi.runtime.settings import Settings


def session_store(settings: Settings, redis: RedisClient) -> RedisSessionStore:
    """Build what keeps sessions, as many of a tenant as the settings say."""
    index = SessionIndex(
        redis,
        sessions_max=settings.sessions_max,
        refused=partial(metrics.count_over_share, "open sessions"),
    )
    return RedisSessionStore(redis, index)
