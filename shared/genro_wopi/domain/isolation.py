"""Background work in pieces, of which none ends the others, whatever it raises.

What one tenant's application, editor or storage answers may make a piece of work raise anything:
`RecursionError` from nested JSON, `MemoryError`, a panic of a library. That is a counted failure of
this piece alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

Failed = Callable[[str, BaseException], None]
"""Is told which kind of work failed, and of what; it counts and logs."""

_ENDS_THE_PROCESS: Final = (KeyboardInterrupt, SystemExit, GeneratorExit)


async def isolated(
    what: str, failed: Failed, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
) -> T | None:
    """Do a piece of work; None where it failed.

    A cancellation of the task that waits here goes on; one that only comes out of the work, since
    somebody else ended what it waited for, is a failure like others.

    Args:
        what: the kind of work, for counting: of few different values.
        failed: is told what it raised.
        work: the piece, called with what follows.
        args: for it.
        kwargs: for it.
    """
    try:
        return await work(*args, **kwargs)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        tell(what, error, failed)
    except _ENDS_THE_PROCESS:
        raise
    except BaseException as error:  # noqa: BLE001 - panics of libraries derive from it
        tell(what, error, failed)
    return None


def tell(what: str, error: BaseException, failed: Failed) -> None:
    """Report a failure; that it cannot be reported ends nothing either."""
    with suppress(Exception):
        failed(what, error)
