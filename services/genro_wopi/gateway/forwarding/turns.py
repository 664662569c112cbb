"""Who comes next where not everybody can: saves and locks first, and nobody has it all."""

import asyncio
import itertools
from enum import IntEnum
from typing import Final

from genro_wopi.domain.shares import Share

HEAD_START_S: Final = 0.05
"""By how much saves are ahead of the rest when a replica is back."""


class Urgency(IntEnum):
    """How much an editor loses that is not answered; the least number comes first."""

    SAVE = 0
    """It carries what somebody typed, or holds the lock for it."""
    OTHER = 1


class FullError(Exception):
    """Too many wait already."""


class Turns:
    """Places for exchanges with replicas, and the line before them.

    Args:
        places: exchanges at once.
        waiting_max: how many may stand in line; half of it for what is no save.
    """

    def __init__(self, places: int, waiting_max: int) -> None:
        self._share = Share(places)
        self._waiting_max = waiting_max
        self._line: dict[tuple[int, int], tuple[str, asyncio.Future[None]]] = {}
        """By urgency and arrival."""
        self._numbers = itertools.count()

    def take_now(self, holder: str) -> bool:
        """Take a place where one is free and nobody waits for it."""
        if self._line or not self._share.may_take(holder):
            return False
        self._share.take(holder)
        return True

    async def take(self, holder: str, urgency: Urgency) -> None:
        """Take a place when it is one's turn.

        Raises:
            FullError: the line is too long.
        """
        if self.take_now(holder):
            return
        room = self._waiting_max if urgency is Urgency.SAVE else self._waiting_max // 2
        if len(self._line) >= room:
            raise FullError
        place = (int(urgency), next(self._numbers))
        turn = asyncio.get_running_loop().create_future()
        self._line[place] = (holder, turn)
        self._call()
        try:
            await turn
        except asyncio.CancelledError:
            if self._line.pop(place, None) is None:
                self.give_back(holder)
            raise

    def give_back(self, holder: str) -> None:
        """Leave a place to the next one."""
        self._share.give_back(holder)
        self._call()

    def _call(self) -> None:
        """Call those whose turn it is; one that has its share lets others pass."""
        for place in sorted(self._line):
            holder, turn = self._line[place]
            if self._share.may_take(holder):
                self._share.take(holder)
                del self._line[place]
                turn.set_result(None)


class WaitingRoom:
    """Where requests wait while no replica can be reached.

    Args:
        waiting_max: how many may wait; half of it for what is no save.
    """

    def __init__(self, waiting_max: int) -> None:
        self._waiting_max = waiting_max
        self._waiting: dict[tuple[int, int], asyncio.Future[None]] = {}
        self._numbers = itertools.count()
        self.is_shut = False

    async def wait(self, urgency: Urgency) -> None:
        """Wait until the door opens; saves and locks come out first.

        Raises:
            FullError: there is no room.
        """
        room = self._waiting_max if urgency is Urgency.SAVE else self._waiting_max // 2
        if len(self._waiting) >= room:
            raise FullError
        place = (int(urgency), next(self._numbers))
        opened = asyncio.get_running_loop().create_future()
        self._waiting[place] = opened
        try:
            await opened
        finally:
            self._waiting.pop(place, None)

    def shut(self) -> None:
        """Let nobody pass."""
        self.is_shut = True

    def open(self) -> None:
        """Let everybody pass, in order: saves at once, the rest when those are on their way."""
        self.is_shut = False
        self._call(Urgency.SAVE)
        asyncio.get_running_loop().call_later(HEAD_START_S, self._call, Urgency.OTHER)

    def _call(self, urgency: Urgency) -> None:
        if self.is_shut:
            return
        for place in sorted(self._waiting):
            if place[0] <= urgency and not self._waiting[place].done():
                self._waiting[place].set_result(None)

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)
