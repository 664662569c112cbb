"""The fields of an operation's request as words of the command line, and back.

A text stays a text, an enumeration is a choice, a list is an option that may be repeated, a flag
has its ``--no-`` form. An object is written as ``key=value``, repeated, or as ``@file.json``; a
list of objects as ``@file.json``. Whatever is said is checked by the declaration itself.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from msgspec import inspect as kinds

from genro_wopi.management.field_docs import field_docs
from genro_wopi.management.operation import Operation

TENANT: Final = "tenant_id"
_PATH_PARAMETER: Final = re.compile(r"{(\w+)}")
_LITERAL: Final = re.compile(r"true|false|null|-?\d+")
_SINGULAR: Final = {"scopes": "scope"}
"""How one of a list that is repeated may be called too."""

_OPTION: Final = re.compile(r"[a-z_]+")


def by_position(operation: Operation[Any, Any]) -> tuple[str, ...]:
    """Return the fields that are given without their name, in order."""
    in_path = [
        name
        for name in _PATH_PARAMETER.findall(operation.path)
        if name != TENANT or operation.name.startswith("tenants.")
    ]
    return (*in_path, *(n for n in operation.arguments if n not in in_path))


def parameters(operation: Operation[Any, Any]) -> list[click.Parameter]:
    """Build the words of an operation; the tenant and the host are not among them."""
    positions = by_position(operation)
    docs = field_docs(operation.request)
    fields = {f.encode_name: f for f in _fields(operation.request)}
    found: list[click.Parameter] = [click.Argument([name]) for name in positions]
    for name, field in fields.items():
        if name not in positions and name != TENANT:
            found.append(_option(name, field, docs.get(name, "")))
    if operation.method == "PATCH":
        text = "Empty this field; may be repeated."
        clearable = click.Choice([n for n, f in fields.items() if _takes_null(f.type)])
        found.append(click.Option(["--clear"], multiple=True, type=clearable, help=text))
    return found


def values_of(operation: Operation[Any, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was said, as the declaration's fields.

    Raises:
        click.BadParameter: an object cannot be read.
    """
    values: dict[str, Any] = {}
    for field in _fields(operation.request):
        value = given.get(field.encode_name)
        if value is None or value == ():
            continue
        plain = _plain(field.type)
        if isinstance(plain, kinds.StructType | kinds.DictType):
            values[field.encode_name] = _object(value, field.encode_name)
        elif isinstance(plain, kinds.ListType):
            values[field.encode_name] = _list(value, plain, field.encode_name)
        else:
            values[field.encode_name] = value
    return values | dict.fromkeys(given.get("clear") or ())


def _fields(request: type[msgspec.Struct]) -> tuple[kinds.Field, ...]:
    info = kinds.type_info(request)
    assert isinstance(info, kinds.StructType)  # noqa: S101 - a request is a Struct
    return info.fields


def _plain(kind: kinds.Type) -> kinds.Type:
    """Return what a field holds besides nothing."""
    if isinstance(kind, kinds.UnionType):
        return next(k for k in kind.types if not isinstance(k, kinds.NoneType))
    return kind


def _takes_null(kind: kinds.Type) -> bool:
    return isinstance(kind, kinds.UnionType) and any(
        isinstance(k, kinds.NoneType) for k in kind.types
    )


def _option(name: str, field: kinds.Field, text: str) -> click.Option:
    words = [f"--{name.replace('_', '-')}", name]
    kind, text = _plain(field.type), " ".join(text.split())
    if isinstance(kind, kinds.BoolType):
        flag = words[0]
        return click.Option([f"{flag}/--no-{flag[2:]}", name], default=None, help=text)
    if isinstance(kind, kinds.StructType | kinds.DictType):
        text = f"{text} {_keys(kind)}".strip()
        return click.Option(words, multiple=True, metavar="KEY=VALUE", help=text)
    if isinstance(kind, kinds.ListType):
        words = [f"--{_SINGULAR[name]}", *words] if name in _SINGULAR else words
        return click.Option(
            words, multiple=True, required=field.required, type=_scalar(kind.item_type), help=text
        )
    return click.Option(words, required=field.required, type=_scalar(kind), help=text)


def _scalar(kind: kinds.Type) -> Any:  # noqa: ANN401 - generic in some versions of click
    kind = _plain(kind)
    if isinstance(kind, kinds.EnumType):
        return click.Choice([str(member.value) for member in kind.cls])
    return click.INT if isinstance(kind, kinds.IntType) else click.STRING


def _keys(kind: kinds.StructType | kinds.DictType) -> str:
    if isinstance(kind, kinds.DictType):
        return "Keys as the documentation of storages says."
    return "Keys: " + ", ".join(f.encode_name for f in kind.fields) + "."


def _object(words: Sequence[str], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        if word.startswith("@"):
            found |= _file(word[1:], name)
            continue
        key, equals, value = word.partition("=")
        if not equals:
            raise click.BadParameter(
                f"write {word!r} as key=value, or @file.json", param_hint=f"--{name}"
            )
        found[key] = json.loads(value) if _LITERAL.fullmatch(value) else value
    return found


def _list(words: Sequence[str], kind: kinds.ListType, name: str) -> list[Any]:
    found: list[Any] = []
    for word in words:
        if word.startswith("@") and isinstance(_plain(kind.item_type), kinds.StructType):
            found += _file(word[1:], name)
        else:
            found.append(word)
    return found


def _file(path: str, name: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{path}: {error}", param_hint=f"--{name}") from error
