"""A short run of what `make chaos ARGS=rolling` does with 200 clients."""

import pytest

from tests.chaos.rolling import roll
from tests.support import tools


@pytest.mark.check
@pytest.mark.timeout(180)
async def test_no_save_fails_while_every_service_is_replaced() -> None:
    tools.needed("nginx")
    outcome = await roll(clients=40)
    assert len(outcome.replaced) == 5
    assert outcome.is_good, (outcome.failed, sorted(outcome.unheard)[:3])
