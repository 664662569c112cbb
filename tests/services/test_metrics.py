"""What is counted: saves that were refused, proofs that were refused, round trips to Redis."""

import pytest
from prometheus_client import REGISTRY

from genro_wopi.adapters.redis.client import connect
from genro_wopi.domain.errors import ProofRefusedError, UnavailableError
from genro_wopi.runtime import metrics
from tests.support.in_process import Wopi


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_a_save_that_was_refused_and_kept_is_counted(wopi: Wopi) -> None:
    before = value("wopi_saves_rescued_total")
    query = {"access_token": wopi.token}
    lock = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "A"}
    assert (await wopi.http.post(wopi.path, params=query, headers=lock)).status_code == 200
    put = {"X-WOPI-Override": "PUT", "X-WOPI-Lock": "B"}
    refused = await wopi.http.post(
        f"{wopi.path}/contents", params=query, headers=put, content=b"kept"
    )
    assert refused.status_code == 409
    assert value("wopi_saves_rescued_total") == before + 1


@pytest.mark.parametrize("kind", ["missing", "stale", "no_key"])
async def test_a_proof_that_was_refused_is_counted_by_kind(
    wopi: Wopi, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    async def refuse(*_arguments: object) -> None:
        raise ProofRefusedError(kind, "The proof was refused.")

    monkeypatch.setattr(type(wopi.service.host.proofs), "check", refuse)
    before = value("wopi_proof_failures_total", reason=kind)
    answer = await wopi.http.get(wopi.path, params={"access_token": wopi.token})
    assert answer.status_code == 500
    assert value("wopi_proof_failures_total", reason=kind) == before + 1


async def test_round_trips_to_redis_and_their_failures_are_counted(redis_url: str) -> None:
    before = value("wopi_redis_round_trip_seconds_count")
    async with connect(redis_url, observe=metrics.observe_redis) as redis:
        await redis.call("PING")
    assert value("wopi_redis_round_trip_seconds_count") == before + 1
    failed = value("wopi_redis_failures_total", kind="ConnectionError")
    async with connect("redis://127.0.0.1:9/0", observe=metrics.observe_redis) as away:
        with pytest.raises(UnavailableError):
            await away.call("PING")
    assert value("wopi_redis_failures_total", kind="ConnectionError") > failed
