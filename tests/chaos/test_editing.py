"""A short run of what `make chaos` does with two hundred people and for long."""

import pytest

from tests.chaos.editing import edit
from tests.chaos.sharing import share
from tests.support import tools

pytestmark = pytest.mark.check


@pytest.mark.timeout(240)
@pytest.mark.parametrize("protocol", ["s3", "local"])
async def test_nothing_is_lost_while_people_edit_and_everything_fails(protocol: str) -> None:
    tools.needed("nginx")
    outcome = await edit(seconds=15, seed=4, protocol=protocol, people=40)
    assert outcome.record.faults.total() > 0
    assert outcome.is_good, outcome.rows()


@pytest.mark.timeout(240)
async def test_two_clusters_on_one_bucket_lose_nothing_of_each_other() -> None:
    outcome = await share(seconds=8, seed=4)
    assert outcome.is_good, outcome.rows()
