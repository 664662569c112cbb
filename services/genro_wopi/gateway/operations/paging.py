"""Pages of lists that are short enough to be read whole: storages, editors, keys, locks."""

from collections.abc import Sequence
from typing import TypeVar

from genro_wopi.domain.cursors import position
from genro_wopi.management.operation import Page

ItemT = TypeVar("ItemT")


def start_of(request: Page) -> int:
    """Return where a page begins.

    Raises:
        InvalidFieldsError: the cursor is not one that a list gave.
    """
    return position(request.cursor)


def paged(items: Sequence[ItemT], request: Page) -> tuple[list[ItemT], str | None]:
    """Cut one page out of a list; return it with the cursor of the next."""
    start = start_of(request)
    end = start + request.limit
    return list(items[start:end]), str(end) if end < len(items) else None
