"""Operations by name: ``client.sessions.create(storage_name="docs", …)``.

The groups and methods are those of the catalog; nothing is written down twice. Signatures and
texts are there for completion and `help`.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from genro_wopi.management.catalog import OPERATIONS
from genro_wopi.management.decode import convert_request
from genro_wopi.management.field_docs import field_docs
from genro_wopi.management.operation import Operation

Caller = Callable[..., Any]
"""Carries out an operation with a request."""


def python_name(name: str) -> str:
    """Write a name of the catalog as Python can: ``api-keys`` is ``api_keys``."""
    return name.replace("-", "_")


class Group:
    """The operations of one group, as methods."""

    def __init__(self, name: str, operations: Sequence[Operation[Any, Any]], call: Caller) -> None:
        self._name = name
        self._methods = {
            python_name(o.name.partition(".")[2]): _method(o, call) for o in operations
        }

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return one operation."""
        try:
            return self._methods[name]
        except KeyError:
            known = ", ".join(sorted(self._methods))
            raise AttributeError(f"{self._name} has no {name!r}; it has {known}") from None

    def __dir__(self) -> list[str]:
        return sorted(self._methods)

    def __repr__(self) -> str:
        return f"{self._name}: {', '.join(sorted(self._methods))}"


class Named:
    """What both clients are: the groups of the catalog as attributes."""

    def __init__(self, call: Caller) -> None:
        self._groups = groups(call)

    def __getattr__(self, name: str) -> Group:
        """Return the operations of one group."""
        try:
            return self.__dict__["_groups"][name]
        except KeyError:
            raise AttributeError(f"there are no operations {name!r}") from None

    def __dir__(self) -> list[str]:
        return [*self._groups, *(n for n in vars(type(self)) if not n.startswith("_"))]


def groups(call: Caller) -> dict[str, Group]:
    """Return every group of the catalog by its name in Python."""
    found: dict[str, list[Operation[Any, Any]]] = {}
    for operation in OPERATIONS:
        found.setdefault(python_name(operation.name.partition(".")[0]), []).append(operation)
    return {name: Group(name, operations, call) for name, operations in found.items()}


def _method(operation: Operation[Any, Any], call: Caller) -> Callable[..., Any]:
    def method(*, body: Any = b"", **values: Any) -> Any:  # noqa: ANN401 - the operation's own
        request = convert_request(values, operation.request, from_text=False)
        return call(operation, request, body) if body else call(operation, request)

    method.__name__ = method.__qualname__ = python_name(operation.name.partition(".")[2])
    method.__doc__ = _text(operation)
    method.__signature__ = _signature(operation)
    return method


def _signature(operation: Operation[Any, Any]) -> inspect.Signature:
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.required else field.default,
            annotation=field.type,
        )
        for field in msgspec.structs.fields(operation.request)
    ]
    parameters.sort(key=lambda p: p.default is not inspect.Parameter.empty)
    return inspect.Signature(parameters, return_annotation=operation.response)


def _text(operation: Operation[Any, Any]) -> str:
    docs = field_docs(operation.request)
    lines = [operation.summary, "", f"{operation.method} {operation.path}"]
    lines += [f"  {name}: {text}" for name, text in docs.items()]
    return "\n".join(lines)
