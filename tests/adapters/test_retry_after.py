"""For how long an application asks to be left alone."""

import math
import time

import msgspec
import pytest

from genro_wopi.adapters.directory import CachedDirectory
from genro_wopi.adapters.http.egress import EgressPolicy, GuardedNetwork
from genro_wopi.adapters.http.fetch import Answer
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.adapters.secrets import AesGcmRing
from genro_wopi.adapters.webhooks import RETRY_AFTER_MS_MAX, WebhookReceiver
from genro_wopi.domain.events import Event, EventContext
from genro_wopi.domain.identifiers import tenant_name
from tests.support.raw_http import Told, answering
from tests.support.world import TENANT, World

NOW_S = 1_795_604_400.0
"""2026-11-25 11:00:00 GMT."""


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120),
        ("9" * 400, math.inf),
        ("Wed, 25 Nov 2026 11:02:00 GMT", 120),
        ("Wednesday, 25-Nov-26 11:02:00 GMT", 120),
        ("Wed, 25 Nov 2026 10:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("", 0),
        ("١٢", 0),
        ("Wed, 99 Nov 2026 11:02:00 GMT", 0),
    ],
)
def test_seconds_and_moments_are_understood(asked: str, seconds: float) -> None:
    assert Answer(503, {"retry-after": asked}, b"").retry_after_s(NOW_S) == seconds


def test_without_the_header_nothing_is_asked_for() -> None:
    assert Answer(503, {}, b"").retry_after_s(NOW_S) == 0


@pytest.mark.parametrize(
    ("asked", "milliseconds"),
    [
        ("120", 120_000),
        ("9" * 400, RETRY_AFTER_MS_MAX),
        ("Wed, 25 Nov 2126 11:02:00 GMT", RETRY_AFTER_MS_MAX),
        ("soon", 0),
    ],
)
async def test_an_application_is_left_alone_as_long_as_it_asks_but_for_a_day_at_most(
    redis: RedisClient, asked: str, milliseconds: int
) -> None:
    await World(redis).tenant()
    store = RedisTenantStore(redis)
    tenant = await store.get_tenant(tenant_name(TENANT))
    assert tenant is not None
    network = GuardedNetwork(EgressPolicy(("loopback",), setting="WOPI_CALLBACK_ALLOW"))
    ring = AesGcmRing((("k", bytes(32)),))
    async with answering(lambda _: Told(503, {"Retry-After": asked})) as there:
        await store.put_tenant(msgspec.structs.replace(tenant, client_base_url=f"http://{there}"))
        receiver = WebhookReceiver(CachedDirectory(store), ring, network)
        outcome = await receiver.deliver(_event())
        await receiver.aclose()
    assert not outcome.delivered
    assert outcome.retry_after_ms == milliseconds


def _event() -> Event:
    context = EventContext(
        tenant_id=TENANT, session_id="s", file_id="f", storage_name="docs", account="", user=""
    )
    return Event(
        event_id="e",
        name="lock_released",
        context=context,
        sequence=1,
        file_path="a.txt",
        at_us=time.time_ns() // 1000,
        attempt=1,
        details={},
    )
