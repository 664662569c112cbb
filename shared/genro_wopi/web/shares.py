"""Places that are shared without a number for each: nobody has it all, nobody waits for nothing."""

from collections import Counter
from typing import Final


class Share:
    """So many places of which one holder has at most as many as it leaves free to others.

    Whoever comes finds room, whatever one other does: alone a holder gets half of the places, two
    get a third each. Nobody is refused anything while there is plenty.
    """

    def __init__(self, places: int) -> None:
        self._places: Final = places
        self._held: Counter[str] = Counter()
        self.taken = 0

    def may_take(self, holder: str) -> bool:
        """Tell whether a holder may have one more."""
        return self._held[holder] < self._places - self.taken

    def take(self, holder: str) -> None:
        """Give a place to a holder that may have it."""
        self._held[holder] += 1
        self.taken += 1

    def give_back(self, holder: str) -> None:
        """Take it back."""
        self.taken -= 1
        self._held[holder] -= 1
        if not self._held[holder]:
            del self._held[holder]
