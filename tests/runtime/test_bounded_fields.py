"""No request of the management API has a text, list or mapping without an end."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from genro_wopi.domain.errors import InvalidFieldsError
from genro_wopi.domain.paths import PATH_SIZE_BYTES_MAX
from genro_wopi.management.catalog import OPERATIONS
from genro_wopi.management.decode import convert_request
from genro_wopi.management.openapi import openapi_document

REQUESTS = {operation.name: operation.request for operation in OPERATIONS}

OF_THE_EDITOR = {
    f"sessions.create.options.{name}_info{{value}} (object)"
    for name in ("server_private", "user_private", "user_extra")
}
"""Objects that an editor gets as they are; all options together have `OPTIONS_BYTES_MAX`."""

LISTS = (inspect.ListType, inspect.SetType, inspect.FrozenSetType, inspect.VarTupleType)
ANYTHING = (inspect.AnyType, inspect.RawType, inspect.BytesType)


def unbounded(kind: inspect.Type, path: str, seen: frozenset[type]) -> Iterator[str]:
    """Yield the paths of everything in a type that may be of any size."""
    if isinstance(kind, ANYTHING):
        yield f"{path} (anything)"
    if isinstance(kind, inspect.CustomType):
        yield f"{path} ({kind.cls.__name__})"
    if isinstance(kind, (inspect.StrType, inspect.DictType, *LISTS)) and kind.max_length is None:
        yield path
    for inner, name in parts(kind):
        if not isinstance(inner, inspect.StructType):
            yield from unbounded(inner, path + name, seen)
        elif inner.cls not in seen:
            yield from unbounded(inner, path + name, seen | {inner.cls})


def parts(kind: inspect.Type) -> Iterator[tuple[inspect.Type, str]]:
    """Yield the types that a type is made of, and how their paths go on."""
    if isinstance(kind, inspect.StructType):
        yield from ((field.type, f".{field.name}") for field in kind.fields)
    elif isinstance(kind, inspect.UnionType):
        yield from ((one, "") for one in kind.types)
    elif isinstance(kind, inspect.TupleType):
        yield from ((one, "[]") for one in kind.item_types)
    elif isinstance(kind, LISTS):
        yield kind.item_type, "[]"
    elif isinstance(kind, inspect.DictType):
        yield from ((kind.key_type, "{key}"), (kind.value_type, "{value}"))
    elif isinstance(kind, inspect.Metadata):
        yield kind.type, ""


@pytest.mark.parametrize("name", REQUESTS)
def test_every_field_of_a_request_has_a_size(name: str) -> None:
    kind = inspect.type_info(REQUESTS[name])
    assert set(unbounded(kind, name, frozenset())) <= OF_THE_EDITOR


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("storages.put", "name", "x" * 10_000),
        ("storages.put", "config", {f"key-{n}": "x" for n in range(1000)}),
        ("editors.put", "extensions", ["odt"] * 1000),
        ("sessions.create", "file_path", "x" * 10_000),
    ],
)
def test_what_is_too_long_is_named(name: str, field: str, value: Any) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        convert_request({field: value}, REQUESTS[name], from_text=False)
    (problem,) = [e.problem for e in refused.value.errors if e.field == field]
    assert "of length <=" in problem


def test_the_description_for_programs_says_how_long_a_field_may_be() -> None:
    schemas = openapi_document(version="1", server_url="/")["components"]["schemas"]
    assert schemas["SessionCreate"]["properties"]["file_path"]["maxLength"] == PATH_SIZE_BYTES_MAX


def test_what_has_no_end_is_found() -> None:
    class Inner(msgspec.Struct):
        words: dict[str, list[str]] | None = None
        anything: Any = None

    class Outer(msgspec.Struct):
        inner: Inner
        pair: tuple[str, int] = ("", 0)

    found = set(unbounded(inspect.type_info(Outer), "o", frozenset()))
    words = "o.inner.words"
    wanted = {words, f"{words}{{key}}", f"{words}{{value}}", f"{words}{{value}}[]"}
    assert found == wanted | {"o.pair[]", "o.inner.anything (anything)"}
