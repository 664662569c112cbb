"""A short run of what `make chaos ARGS=rolling` does with 200 clients."""

import os

import pytest

from tests.bench.nginx import nginx_binary
from tests.chaos.rolling import roll


@pytest.mark.timeout(180)
async def test_no_save_fails_while_every_service_is_replaced() -> None:
    if nginx_binary() is None:
        if os.environ.get("WOPI_TEST_NGINX") == "required":
            pytest.fail("no nginx: the rolling update is not tested")
        pytest.skip("no nginx: the rolling update is not tested")
    outcome = await roll(clients=40)
    assert len(outcome.replaced) == 5
    assert outcome.is_good, (outcome.failed, sorted(outcome.unheard)[:3])
