"""Configuration that two operators change at one time: nobody overwrites what he did not see.

Every record has a revision. A change is written only where the record still has the revision that
was read; otherwise it is read and changed again, or refused where its author named a revision.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from genro_wopi.domain.errors import ConflictError, PreconditionFailedError

ATTEMPTS_MAX: Final = 5


class HasRevision(Protocol):
    """A record of the configuration."""

    @property
    def revision(self) -> int:
        """Rises with each change."""
        ...


RecordT = TypeVar("RecordT", bound=HasRevision)


def require_revision(record: HasRevision | None, wanted: int | None) -> None:
    """Check that a record is the one that its author saw.

    Raises:
        PreconditionFailedError: it was changed, or removed, since.
    """
    if wanted is None or (record.revision if record is not None else 0) == wanted:
        return
    now = f"its revision is {record.revision} now" if record is not None else "it is gone"
    raise PreconditionFailedError(
        f"It was changed since you read it ({now}): read it again, then change it."
    )


async def revise(
    read: Callable[[], Awaitable[RecordT]],
    change: Callable[[RecordT], Awaitable[RecordT]],
    write: Callable[[RecordT, int], Awaitable[bool]],
    *,
    if_revision: int | None = None,
) -> RecordT:
    """Change a record and return it.

    Args:
        read: returns it as it is.
        change: returns it as it should be.
        write: writes it where it still has that revision; False where it has not.
        if_revision: the only revision that may be changed; any where None.

    Raises:
        PreconditionFailedError: it has another revision than `if_revision`.
        ConflictError: others change it faster than this.
    """
    for _ in range(ATTEMPTS_MAX):
        known = await read()
        require_revision(known, if_revision)
        changed = await change(known)
        if await write(changed, known.revision):
            return changed
    raise ConflictError("It is being changed by others; try again.")
