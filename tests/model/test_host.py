"""Nothing that anybody sent is lost, whoever's token carried it, whatever was away meanwhile."""

import os
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.wopi_service.operations import receive_save
from genro_wopi.wopi_service.service import WopiService
from tests.model.host import HostSimulation, LostTextError
from tests.model.offices import Office
from tests.model.simulation import pause_at_gates
from tests.support.in_process import put_storage, wopi_in_process
from tests.support.world import TENANT, World

RUNS = int(os.environ.get("WOPI_MODEL_RUNS", "600")) // 4
RUNS_WITHOUT_FAULTS = RUNS // 5
RUNS_UNTIL_LOST = 100
FAULTS_MAX = 6
LOCK_TTL_MS = 30 * 60 * 1000


@pytest.fixture
async def service(
    redis: RedisClient, redis_url: str, tmp_path: Path
) -> AsyncGenerator[WopiService]:
    async with AsyncExitStack() as stack:
        yield (await wopi_in_process(stack, redis, redis_url, tmp_path)).service


async def live(simulation: Any, number: int) -> None:
    """Be one of two editors on the file: two processes, two servers with one lock, or others."""
    seed: int = simulation.seed
    kinds = (EditorKind.COLLABORA, EditorKind.ONLYOFFICE, EditorKind.M365)
    kind = kinds[(seed // (1 + 2 * number)) % 3]
    await Office(simulation, kind, f"server {number}", tells_times=seed % 4 > 0).live()


async def simulated(
    service: WopiService,
    redis: RedisClient,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    seed: int,
    *,
    faults_max: int = FAULTS_MAX,
) -> HostSimulation:
    await redis.call("FLUSHALL")
    world, place = World(redis, lock_ttl_ms=LOCK_TTL_MS), folder / f"spool-{seed}"
    place.mkdir()
    await world.tenant()
    await put_storage(redis, TENANT, folder / "files")
    simulation = HostSimulation(
        seed, world, None, faults_max=faults_max, service=service, folder=place
    )
    pause_at_gates(simulation, monkeypatch)
    await simulation.run(live)
    return simulation


@pytest.mark.timeout(3600)
async def test_nothing_that_anybody_sent_is_lost(
    service: WopiService,
    redis: RedisClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    outcomes, answers = Counter[str](), Counter[int]()
    for seed in range(RUNS):
        simulation = await simulated(service, redis, monkeypatch, tmp_path, seed)
        outcomes += simulation.outcomes
        answers += Counter(status for status, _ in simulation.answered)
    assert min(outcomes[name] for name in ("kept", "stored", "rescued", "void")) > RUNS // 50
    assert min(answers[status] for status in (200, 401, 409, 503)) > RUNS // 50


@pytest.mark.timeout(3600)
async def test_where_nothing_happens_nobody_is_refused(
    service: WopiService,
    redis: RedisClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for seed in range(RUNS_WITHOUT_FAULTS):
        simulation = await simulated(service, redis, monkeypatch, tmp_path, seed, faults_max=0)
        assert {status for status, _ in simulation.answered} == {200}, f"seed {seed}"


@pytest.mark.timeout(3600)
async def test_a_host_that_keeps_nothing_loses_text_in_the_same_simulation(
    service: WopiService,
    redis: RedisClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    async def nothing(*_arguments: Any) -> None:
        return

    monkeypatch.setattr(receive_save, "keep", nothing)
    lost: list[int] = []
    for seed in range(RUNS_UNTIL_LOST):
        try:
            await simulated(service, redis, monkeypatch, tmp_path, seed)
        except LostTextError:
            lost.append(seed)
            if len(lost) == 3:
                break
    assert len(lost) == 3
