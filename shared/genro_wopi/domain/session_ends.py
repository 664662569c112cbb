"""The ends of sessions: nobody calls when one expires, so they are looked for."""

from typing import Protocol


class SessionEnds(Protocol):
    """Sessions by when they should end."""

    async def sweep(self) -> int:
        """Tell of sessions that expired, and of files whose last session is gone.

        ``session_expired`` is emitted once for each session, ``document_closed`` once when the last
        session that had opened a file is gone and no lock is left. Any number of workers may sweep
        at the same time.

        Returns:
            How many sessions were done with.
        """
        ...
