"""Rates: a burst goes through, a flood does not, and nobody pays for another."""

import pytest

from genro_wopi.domain.callers import Caller
from genro_wopi.domain.clock import SystemClock
from genro_wopi.domain.errors import RateLimitedError
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.gateway.operations.rates import BURST_S, Rates

ACME, OTHER = Caller(TenantId("acme")), Caller(TenantId("other"))


class Clock(SystemClock):
    now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s


def spend(rates: Rates, caller: Caller, count: int) -> int:
    """Return how many of so many requests were let through."""
    passed = 0
    for _ in range(count):
        try:
            rates.count(caller)
        except RateLimitedError:
            continue
        passed += 1
    return passed


def test_a_burst_goes_through_and_a_flood_does_not() -> None:
    clock = Clock()
    rates = Rates(clock, 5)
    assert spend(rates, ACME, 200) == 5 * BURST_S
    clock.now_s += 2
    assert spend(rates, ACME, 200) == 10
    with pytest.raises(RateLimitedError) as refused:
        rates.count(ACME)
    assert refused.value.retry_after_s == 1


def test_nobody_pays_for_another_and_the_operator_never() -> None:
    rates = Rates(Clock(), 1)
    spend(rates, ACME, 100)
    rates.count(OTHER)
    assert spend(rates, Caller(None), 1000) == 1000


def test_zero_is_any() -> None:
    assert spend(Rates(Clock(), 0), ACME, 1000) == 1000
