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

    def may_take(self, holder: str, amount: int = 1) -> bool:
        """Tell whether a holder may have one more, or so many."""
        left = self._places - self.taken - amount
        return self._held[holder] + amount <= left + 1

    def take(self, holder: str, amount: int = 1) -> None:
        """Give places to a holder that may have them."""
        self._held[holder] += amount
        self.taken += amount

    def give_back(self, holder: str, amount: int = 1) -> None:
        """Take them back."""
        self.taken -= amount
        self._held[holder] -= amount
        if not self._held[holder]:
            del self._held[holder]
