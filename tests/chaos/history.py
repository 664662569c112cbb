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

STATES_MAX = 1_000_000


class UndecidedError(Exception):
    """Too many orders are possible."""


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
    until_s: float = math.inf
    """After this moment it has no effect any more, if no answer came."""

    @property
    def may_have_changed(self) -> bool:
        """Whether nobody knows what it did, and it can have done something."""
        return self.is_unknown and self.what not in {"get", "refresh"}

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

    Raises:
        UndecidedError: it would take too long to tell.
    """
    known = sorted((o for o in history if not o.is_unknown), key=lambda o: o.began_s)
    unknown = sorted((o for o in history if o.may_have_changed), key=lambda o: o.began_s)
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
            if len(seen) > STATES_MAX:
                raise UndecidedError(f"not decided after {STATES_MAX} states")
            ahead, start, state = stack.pop()
            if start >= self._known:
                return True
            for number in reversed(self._possible(ahead, start)):  # The stack turns them round.
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
        found = [n for n in found if self._operations[n].began_s <= earliest_end_s]
        return found + self._possible_unknown(ahead, start, earliest_end_s)

    def _possible_unknown(
        self, ahead: frozenset[int], start: int, earliest_end_s: float
    ) -> list[int]:
        """Return one of each kind: of equal ones that which ends first can do for the others."""
        found = dict[tuple[str, str, str], int]()
        for number in range(self._known, len(self._operations)):
            operation = self._operations[number]
            if operation.began_s > earliest_end_s:
                break
            if number not in ahead and not self._is_over(number, start):
                found.setdefault((operation.what, operation.lock, operation.old), number)
        return list(found.values())

    def _is_over(self, number: int, start: int) -> bool:
        """Tell whether one without an answer can have no effect after what is placed already."""
        now_s = self._operations[start - 1].began_s if start else -math.inf
        return self._operations[number].until_s < now_s

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
        """Mark one as placed; what lies before `start`, or is over, need not be remembered."""
        if number != start:
            return ahead | {number}, start
        start += 1
        while start in ahead:
            start += 1
        left = (n for n in ahead if n > start)
        return frozenset(n for n in left if n < self._known or not self._is_over(n, start)), start
