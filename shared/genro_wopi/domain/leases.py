"""A name that one process of the cluster holds for a short while."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Leases(Protocol):
    """Hands out leases. One ends by itself when its holder dies."""

    def held(self, name: str, *, wait_s: float) -> AbstractAsyncContextManager[None]:
        """Hold a name until the block ends.

        Args:
            name: what is held.
            wait_s: how long another holder is waited for.

        Raises:
            UnavailableError: somebody else still holds it, or Redis is away.
        """
        ...
