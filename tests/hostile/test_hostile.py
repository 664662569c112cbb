"""Short runs of what `make hostile` does for ten minutes."""

from pathlib import Path

import pytest

from tests.hostile.run import attack

SEED = 1
QUICK = ("forged-notes", "forged-cursors", "linked-versions", "explore", "others-pages")


@pytest.mark.timeout(240)
async def test_attackers_reach_nothing_but_their_own(tmp_path: Path) -> None:
    outcome = await attack(2, SEED, tmp_path / "log", QUICK, is_alone=False)
    assert outcome.record.counts["requests of attackers"] > 50
    assert outcome.is_good, "\n".join(outcome.record.lines())


@pytest.mark.check
@pytest.mark.timeout(400)
async def test_nor_by_any_plot_that_is_known(tmp_path: Path) -> None:
    outcome = await attack(12, SEED, tmp_path / "log", is_alone=False)
    plots = [name for name in outcome.record.counts if name.startswith("plots: ")]
    assert len(plots) >= 12, plots
    assert outcome.is_good, "\n".join(outcome.record.lines())
