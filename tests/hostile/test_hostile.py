"""A short run of what `make hostile` does for ten minutes."""

from pathlib import Path

import pytest

from tests.hostile.run import attack

pytestmark = pytest.mark.check

SECONDS, SEED = 12, 1


@pytest.mark.timeout(240)
async def test_attackers_reach_nothing_but_their_own(tmp_path: Path) -> None:
    outcome = await attack(SECONDS, SEED, tmp_path / "log")
    assert outcome.record.counts["requests of attackers"] > 100
    assert outcome.is_good, "\n".join(outcome.record.lines())
