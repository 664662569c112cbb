"""A short run of what `make chaos` does with two hundred people and for long."""

import os

import pytest

from tests.bench.nginx import nginx_binary
from tests.chaos.editing import edit
from tests.chaos.sharing import share


@pytest.fixture(autouse=True)
def nginx() -> None:
    if nginx_binary() is None:
        if os.environ.get("WOPI_TEST_NGINX") == "required":
            pytest.fail("no nginx: editing under faults is not tested")
        pytest.skip("no nginx: editing under faults is not tested")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("protocol", ["s3", "local"])
async def test_nothing_is_lost_while_people_edit_and_everything_fails(protocol: str) -> None:
    outcome = await edit(seconds=15, seed=4, protocol=protocol, people=40)
    assert outcome.record.faults.total() > 2
    assert outcome.is_good, outcome.rows()


@pytest.mark.timeout(240)
async def test_two_clusters_on_one_bucket_lose_nothing_of_each_other() -> None:
    outcome = await share(seconds=8, seed=4)
    assert outcome.is_good, outcome.rows()
