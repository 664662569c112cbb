"""JSON from outside: of clients, applications, editors, storages.

The decoder follows nested values with the stack of the process: what is nested too deeply raises
`RecursionError`, which is no `ValueError`, and can do so anywhere later where it is looked at.
"""

from typing import Any, Final, TypeVar, cast

import msgspec

T = TypeVar("T")

DEPTH_MAX: Final = 32
"""Levels of objects and lists; what is meant seriously has four."""


VALUES_MAX: Final = 50_000
"""Of one document: an empty list is 3 bytes long and takes 64 in memory."""


def decode_json(content: bytes, kind: type[T]) -> T:
    """Read a value.

    Raises:
        msgspec.DecodeError: it is no JSON, of another shape, nested too deeply, or has too many
            values.
    """
    if sum(content.count(mark) for mark in _MARKS) > VALUES_MAX:
        raise msgspec.DecodeError(f"it has more than {VALUES_MAX} values")
    try:
        value = msgspec.json.decode(content, type=kind)
    except RecursionError as error:
        raise _too_deep() from error
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError("it is not UTF-8") from error
    if not _is_flat(content):
        _require_depth(cast("object", value))
    return value


_MARKS: Final = (b",", b"[", b"{")


def _is_flat(content: bytes) -> bool:
    """Tell whether there are too few brackets for a deep value; most bodies are told by this."""
    return content.count(b"[") + content.count(b"{") <= DEPTH_MAX


def _require_depth(value: object) -> None:
    level: list[object] = [value]
    for _ in range(DEPTH_MAX):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise _too_deep()


def _inside(outer: object) -> list[object]:
    inner: list[object] = []
    if isinstance(outer, dict):
        inner = list(cast("dict[str, Any]", outer).values())
    elif isinstance(outer, list):
        inner = cast("list[object]", outer)
    return [i for i in inner if isinstance(i, dict | list)]


def _too_deep() -> msgspec.DecodeError:
    return msgspec.DecodeError(f"it is nested more than {DEPTH_MAX} levels deep")
