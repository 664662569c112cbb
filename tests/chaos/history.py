"""Whether a history of lock operations could have happened one after the other.

A history is linearizable where all its operations can be put into one order that keeps what was
over before something else began, and in which each answer is what one lock would have given. It is
searched as Wing and Gong do, with what was tried remembered; an answer that never changes anything
and is true now is placed at once, since waiting with it opens no other way.

Source: J. M. Wing, C. Gong, "Testing and Verifying Concurrent Objects", 1993.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

NOTHING = ""
"""No lock holds the file."""


@dataclass(frozen=True)
class Operation:
    """One call of a client, as the client saw it."""

    began_s: float
    ended_s: float
    """Infinity where no answer came: it may have happened at any time since, or never."""
    what: str
    """lock, unlock, refresh, relock or get."""
    lock: str
    old: str = ""
    """The lock that a relock wants to replace."""
    held: str | None = None
    """What holds the file, as the answer said that refused or was asked; None where it was done."""
    is_unknown: bool = False
    """Whether no answer came, or one that leaves open what happened."""

    @property
    def only_looks(self) -> bool:
        """Whether it changes nothing in any state that fits its answer."""
        return self.held is not None or self.what in {"get", "refresh"}

    def outcomes(self, state: str) -> tuple[bool, str]:
        """Tell whether the answer fits a state, and which state follows."""
        if self.what == "get":
            return self.held == state, state
        if self.what == "lock":
            done, after = state in (NOTHING, self.lock), self.lock
        elif self.what == "relock":
            done, after = state == self.old, self.lock
        elif self.what == "unlock":
            done, after = state == self.lock, NOTHING
        else:
            done, after = state == self.lock, state
        if self.held is None:
            return done, after
        return not done and self.held == state, state


def is_linearizable(history: Sequence[Operation]) -> bool:
    """Search for an order; see the module.

    Args:
        history: of one file that no lock holds at its beginning, whose locks do not end by
            themselves meanwhile.
    """
    known = sorted((o for o in history if not o.is_unknown), key=lambda o: o.began_s)
    unknown = [o for o in history if o.is_unknown]
    return _Search([*known, *unknown], len(known)).run()


class _Search:
    def __init__(self, operations: list[Operation], known: int) -> None:
        self._operations = operations
        self._known = known
        """So many, the first ones, must be placed; the rest may be."""

    def run(self) -> bool:
        first = self._settle(frozenset(), 0, NOTHING)
        stack, seen = [first], {first}
        while stack:
            ahead, start, state = stack.pop()
            if start >= self._known:
                return True
            for number in self._possible(ahead, start):
                operation = self._operations[number]
                if operation.is_unknown:
                    fits, after = self._effect(operation, state)
                else:
                    fits, after = operation.outcomes(state)
                if not fits:
                    continue
                now = self._settle(*self._placed(ahead, start, number), after)
                if now not in seen:
                    seen.add(now)
                    stack.append(now)
        return False

    def _effect(self, operation: Operation, state: str) -> tuple[bool, str]:
        """Tell what an operation without an answer did; nothing is no way forward."""
        for held in (None, state):
            asked = Operation(0, 0, operation.what, operation.lock, operation.old, held)
            fits, after = asked.outcomes(state)
            if fits and after != state:
                return True, after
        return False, state

    def _possible(self, ahead: frozenset[int], start: int) -> list[int]:
        """Return what may be next: whatever began before all that is left has ended."""
        earliest_end_s, found = math.inf, list[int]()
        for number in range(start, self._known):
            if number in ahead:
                continue
            operation = self._operations[number]
            if operation.began_s > earliest_end_s:
                break
            found.append(number)
            earliest_end_s = min(earliest_end_s, operation.ended_s)
        left = range(self._known, len(self._operations))
        found += [
            n for n in left if n not in ahead and self._operations[n].began_s <= earliest_end_s
        ]
        return [n for n in found if self._operations[n].began_s <= earliest_end_s]

    def _settle(
        self, ahead: frozenset[int], start: int, state: str
    ) -> tuple[frozenset[int], int, str]:
        """Place all that only looks and is true now."""
        while True:
            for number in self._possible(ahead, start):
                operation = self._operations[number]
                if operation.is_unknown or not operation.only_looks:
                    continue
                if operation.outcomes(state)[0]:
                    ahead, start = self._placed(ahead, start, number)
                    break
            else:
                return ahead, start, state

    def _placed(self, ahead: frozenset[int], start: int, number: int) -> tuple[frozenset[int], int]:
        """Mark one as placed; what lies before `start` is placed without being remembered."""
        if number != start:
            return ahead | {number}, start
        start += 1
        while start in ahead:
            start += 1
        return frozenset(n for n in ahead if n > start), start
