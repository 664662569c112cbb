"""Whether a storage that keeps failing is called at all.

A storage that hangs takes each request the whole of its time-out; with all of them waiting there is
room for nobody else's. After some failures in a row the storage is left alone, but for one call a
second that finds out whether it is back: a save that waits inside its request goes on within that
second.
"""

from typing import Final

from genro_wopi.domain.clock import Clock
from genro_wopi.domain.storages import StorageFaultError

FAILURES_MAX: Final = 5
"""Failures in a row, with no success between them, after which a storage is left alone."""

TRIAL_INTERVAL_S: Final = 1.0
"""How often one call is let through while the circuit is open."""


class Circuit:
    """The circuit breaker of one storage in one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._next_trial_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, but for trials."""
        return self._failures >= FAILURES_MAX

    def enter(self) -> None:
        """Let a call through, or refuse it at once.

        Raises:
            StorageFaultError: the storage failed again and again a moment ago; nothing was sent.
        """
        if not self.is_open:
            return
        now_s = self._clock.monotonic_s()
        if now_s < self._next_trial_s:
            raise StorageFaultError(
                "The storage failed several times in a row; it is tried again within a second."
            )
        self._next_trial_s = now_s + TRIAL_INTERVAL_S

    def succeeded(self) -> None:
        """Note that the storage answered as it should."""
        self._failures = 0

    def failed(self) -> None:
        """Note that it did not."""
        self._failures += 1
        if self._failures == FAILURES_MAX:
            self._next_trial_s = self._clock.monotonic_s() + TRIAL_INTERVAL_S
