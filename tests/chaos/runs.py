"""The runs by name: what each takes, what it shows, and how it is done again."""

import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.chaos import editing, events, locks, outages, rolling, sharing, versions


class Outcome(Protocol):
    """What a run ends with."""

    @property
    def is_good(self) -> bool:
        """Whether all that was promised was kept."""
        ...

    def rows(self) -> Sequence[tuple[float, str]]:
        """Return counts with what they count."""
        ...


@dataclass(frozen=True)
class Run:
    """One kind of run."""

    name: str
    says: str
    """What is done, in a sentence."""
    amount: float
    """Seconds, or a number of what `unit` says."""
    unit: str
    variants: tuple[str, ...]
    """What else can be chosen; the first one is taken where nothing is said."""
    start: Callable[[float, int, str], Coroutine[Any, Any, Outcome]]
    """Given amount, seed and variant."""
    amounts: Mapping[str, float] = field(default_factory=dict[str, float])
    """Of variants that take another amount."""

    def amount_of(self, variant: str) -> float:
        """Return how much is done where nothing is said."""
        return self.amounts.get(variant, self.amount)

    def command(self, amount: float, seed: int, variant: str) -> str:
        """Return the words that do it again."""
        return " ".join([self.name, f"{amount:g}", str(seed), variant]).rstrip()


async def _edit(seconds: float, seed: int, variant: str) -> Outcome:
    return await editing.edit(seconds, seed, variant)


async def _fight(seconds: float, seed: int, variant: str) -> Outcome:
    return await locks.fight(seconds, seed, kill=variant == "killed")


async def _share(seconds: float, seed: int, _variant: str) -> Outcome:
    return await sharing.share(seconds, seed)


async def _mix(seconds: float, seed: int, variant: str) -> Outcome:
    older_first = variant == "newer-in-older"
    revision = versions.revision_before()
    return await versions.mix(seconds, seed, revision, older_first=older_first)


async def _roll(clients: float, seed: int, _variant: str) -> Outcome:
    return await rolling.roll(int(clients), seed)


async def _fail(seconds: float, seed: int, _variant: str) -> Outcome:
    return await events.fail(seconds, seed)


async def _kill(count: float, seed: int, _variant: str) -> Outcome:
    return await events.kill(int(count), seed)


async def _close(seconds: float, seed: int, variant: str) -> Outcome:
    return await outages.close_during(variant, seconds, seed)


RUNS = (
    Run(
        "editing",
        "200 people with the habits of Collabora, OnlyOffice and Microsoft 365 edit 100 documents"
        " over four wopi-services behind nginx, while other programs write the same documents,"
        " saves arrive a second time late, and one thing after the other fails",
        120,
        "seconds",
        ("s3", "local", "failover"),
        _edit,
    ),
    Run(
        "outages",
        "people close their documents, as Collabora and OnlyOffice do it, while all wopi-services"
        " are gone, Redis is stopped, or the storage is away",
        20,
        "seconds",
        ("replicas", "redis", "storage"),
        _close,
        {"redis": 60, "storage": 60},
    ),
    Run(
        "locks",
        "64 clients fight for one lock over four wopi-services, which are killed and stopped unless"
        " it is calm; what they were told must fit one order (linearizability)",
        20,
        "seconds",
        ("killed", "calm"),
        _fight,
    ),
    Run(
        "sharing",
        "two clusters with a Redis each, which do not know of each other, on one bucket",
        30,
        "seconds",
        ("",),
        _share,
    ),
    Run(
        "versions",
        "an older version beside this one, as a rolling update has it, while processes are killed",
        30,
        "seconds",
        ("newer-in-older", "older-in-newer"),
        _mix,
    ),
    Run(
        "rolling",
        "every process is replaced while clients save through nginx; no request may fail",
        200,
        "clients",
        ("",),
        _roll,
    ),
    Run(
        "callbacks",
        "one application hangs, then answers 500, beside nine that are well: an hour, compressed",
        100,
        "seconds",
        ("",),
        _fail,
    ),
    Run(
        "events",
        "callback-workers and Redis are killed while events are emitted and delivered",
        10_000,
        "events",
        ("",),
        _kill,
    ),
)


def new_seed() -> int:
    """Draw a seed."""
    return random.SystemRandom().randrange(10**6)
