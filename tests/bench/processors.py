"""Which processor does what, so that a driver's own work is not taken for the server's."""

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(pid: int, others: Iterable[int]) -> Generator[None]:
    """Give one processor to a process, and the rest to others and to this one.

    Where there is only one processor, nothing changes.
    """
    every = os.sched_getaffinity(0)
    own = {max(every)}
    rest = (every - own) or every
    try:
        _bind(pid, own)
        for other in (*others, os.getpid()):
            _bind(other, rest)
        yield
    finally:
        for process in (pid, *others, os.getpid()):
            _bind(process, every)


def _bind(pid: int, processors: set[int]) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), processors)
