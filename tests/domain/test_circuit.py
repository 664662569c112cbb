"""A storage that keeps failing is left alone, but for one call a second."""

import pytest

from genro_wopi.domain.circuit import FAILURES_MAX, TRIAL_INTERVAL_S, Circuit
from genro_wopi.domain.storages import StorageFaultError


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def now_us(self) -> int:
        return int(self.now_s * 1_000_000)

    def monotonic_s(self) -> float:
        return self.now_s


def failing(circuit: Circuit, times: int) -> None:
    for _ in range(times):
        circuit.enter()
        circuit.failed()


def test_failures_in_a_row_open_it_and_a_success_between_them_does_not() -> None:
    circuit = Circuit(Clock())
    failing(circuit, FAILURES_MAX - 1)
    circuit.succeeded()
    failing(circuit, FAILURES_MAX - 1)
    circuit.enter()
    assert not circuit.is_open
    circuit.failed()
    assert circuit.is_open
    with pytest.raises(StorageFaultError, match="several times"):
        circuit.enter()


def test_one_call_a_second_is_let_through_even_while_the_last_one_hangs() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    failing(circuit, FAILURES_MAX)
    for _ in range(3):
        clock.now_s += TRIAL_INTERVAL_S
        circuit.enter()
        with pytest.raises(StorageFaultError):
            circuit.enter()


def test_a_trial_that_succeeds_closes_it() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    failing(circuit, FAILURES_MAX)
    clock.now_s += TRIAL_INTERVAL_S
    circuit.enter()
    circuit.succeeded()
    for _ in range(FAILURES_MAX):
        circuit.enter()
    assert not circuit.is_open
