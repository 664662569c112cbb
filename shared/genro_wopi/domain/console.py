"""An operator's visit to the console: short, and ended by leaving."""

from typing import Final, Protocol

VISIT_MS: Final = 30 * 60 * 1000
"""A visit ends after half an hour without a page."""

VISIT_MS_MAX: Final = 12 * 3600 * 1000
FAILURES_MAX: Final = 20
"""Wrong tokens in a minute from one address; then nobody is let in from there for a while."""

FAILURES_S: Final = 60


class ConsoleVisits(Protocol):
    """Visits, by the secret that the browser keeps."""

    async def begin(self, secret: str) -> None:
        """Begin a visit."""
        ...

    async def is_under_way(self, secret: str) -> bool:
        """Tell whether a visit is not over, and let it go on from now."""
        ...

    async def end(self, secret: str) -> None:
        """End a visit."""
        ...

    async def may_try(self, address: str) -> bool:
        """Tell whether a client at an address may try a token now."""
        ...

    async def failed(self, address: str) -> None:
        """Count a wrong token from an address."""
        ...
