"""A short run of what `make chaos ARGS=outages` does for as long as outages last."""

import pytest

from tests.chaos.outages import close_during


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "what", ["replicas", *(pytest.param(w, marks=pytest.mark.check) for w in ("redis", "storage"))]
)
async def test_what_was_typed_is_there_after_closing_during_an_outage(what: str) -> None:
    patience_s = 25 if what == "replicas" else 2
    outcome = await close_during(what, 6.0, 4, patience_s=patience_s, people=2)
    assert outcome.is_good, outcome.rows()
    assert sum(count for count, name in outcome.rows() if name.startswith("texts")) == 4
