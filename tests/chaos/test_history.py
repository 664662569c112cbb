"""The checker of lock histories: it must accept what can have happened, and nothing else."""

import random

import pytest

from tests.chaos.history import NOTHING, Operation, is_linearizable
from tests.chaos.locks import fight


def op(began_s: float, ended_s: float, what: str, lock: str, held: str | None = None) -> Operation:
    return Operation(began_s, ended_s, what, lock, held=held)


def test_one_after_the_other() -> None:
    assert is_linearizable(
        [
            op(0, 1, "lock", "A"),
            op(2, 3, "lock", "B", held="A"),
            op(4, 5, "unlock", "A"),
            op(6, 7, "lock", "B"),
            op(8, 9, "get", "B", held="B"),
        ]
    )


def test_two_holders_are_found() -> None:
    assert not is_linearizable([op(0, 1, "lock", "A"), op(2, 3, "lock", "B")])


def test_of_two_at_once_one_may_come_first_but_not_both_win() -> None:
    refused = [op(0, 3, "lock", "A", held="B"), op(1, 2, "lock", "B")]
    assert is_linearizable(refused)
    assert not is_linearizable([op(0, 3, "lock", "A"), op(1, 2, "lock", "B")])
    between = [*refused, op(1, 3, "unlock", "B"), op(4, 5, "get", "A", held=NOTHING)]
    assert is_linearizable(between)


def test_a_stale_answer_is_found() -> None:
    history = [op(0, 1, "lock", "A"), op(2, 3, "unlock", "A"), op(4, 5, "get", "B", held="A")]
    assert not is_linearizable(history)


def test_a_refresh_of_a_lock_that_is_gone_is_found() -> None:
    history = [op(0, 1, "lock", "A"), op(2, 3, "unlock", "A"), op(4, 5, "refresh", "A")]
    assert not is_linearizable(history)


def test_a_relock_needs_the_old_lock() -> None:
    first = op(0, 1, "lock", "A")
    done = Operation(2, 3, "relock", "B", old="A")
    assert is_linearizable([first, done, op(4, 5, "get", "A", held="B")])
    assert not is_linearizable([first, done, Operation(4, 5, "relock", "C", old="A")])


def test_what_was_not_answered_may_have_happened_or_not() -> None:
    lost = Operation(0, float("inf"), "lock", "A", is_unknown=True)
    assert is_linearizable([lost, op(2, 3, "get", "B", held="A")])
    assert is_linearizable([lost, op(2, 3, "get", "B", held=NOTHING)])
    assert not is_linearizable([lost, op(2, 3, "get", "B", held="C")])
    before = [op(-2, -1, "get", "B", held="A")]
    assert not is_linearizable([*before, lost])


def test_what_was_not_answered_happens_no_later_than_it_can() -> None:
    lost = Operation(0, float("inf"), "lock", "A", is_unknown=True, until_s=5)
    first = op(6, 7, "get", "B", held=NOTHING)
    assert is_linearizable([lost, op(2, 8, "get", "B", held="A")])
    assert not is_linearizable([lost, first, op(8, 9, "get", "B", held="A")])


@pytest.mark.parametrize("seed", range(20))
def test_histories_of_a_real_lock_are_accepted_and_with_one_lie_refused(seed: int) -> None:
    """Each call takes effect at one moment between its begin and its end."""
    chance = random.Random(seed)
    state, history = NOTHING, list[Operation]()
    for number in range(400):
        what = chance.choice(("lock", "unlock", "refresh", "get"))
        lock = f"L{chance.randrange(8)}"
        moment = float(number)
        began_s, ended_s = moment - chance.uniform(0, 4), moment + chance.uniform(0, 4)
        held = state if what == "get" else None
        done, after = Operation(0, 0, what, lock, held=held).outcomes(state)
        history.append(Operation(began_s, ended_s, what, lock, held=held if done else state))
        state = after if done else state
    assert is_linearizable(history)
    end = 1000.0
    lie = "L1" if state != "L1" else "L2"
    assert not is_linearizable([*history, op(end, end + 1, "get", "L0", held=lie)])


@pytest.mark.check
async def test_the_lock_of_a_cluster_is_one_lock() -> None:
    """A short run of what `make chaos ARGS=locks` does."""
    run = await fight(seconds=7, seed=5, clients=32)
    assert run.faults > 0
    assert run.is_good, (run.wrong[:3], run.acquired, len(run.history))
