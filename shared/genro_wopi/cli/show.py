"""What a person or a program sees of an answer: tables and pairs, or JSON."""

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH_PIPED: Final = 10_000
"""Where the output is no terminal: one line for each row."""

CELL_LENGTH_MAX: Final = 80
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z")

_HIDDEN: Final = frozenset({"next_cursor"})
_NO_COLUMNS: Final = frozenset({"tenant_id", "revision", "updated_at"})
"""What `get` and `--json` show, and a table has no room for."""


def console(*, to_error: bool = False) -> Console:
    """Return what writes to the terminal, without colours where it is none."""
    stream = sys.stderr if to_error else sys.stdout
    width = None if stream.isatty() else WIDTH_PIPED
    return Console(stderr=to_error, width=width, highlight=False, soft_wrap=False)


def show(answer: msgspec.Struct, *, as_json: bool) -> None:
    """Print an answer."""
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        return
    values = cast("dict[str, Any]", msgspec.to_builtins(answer))
    items = values.pop("items", None)
    if isinstance(items, list):
        show_rows(cast("list[dict[str, Any]]", items))
        if values.get("next_cursor"):
            click.echo("There is more: add --all, or --cursor " + str(values["next_cursor"]))
    shown = {k: v for k, v in values.items() if k not in _HIDDEN}
    if shown:
        show_pairs(shown)
    elif items is None:
        click.echo("Done.")


def show_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a list as a table; columns that are empty everywhere are left out."""
    if not rows:
        click.echo("Nothing.")
        return
    names = [n for n in rows[0] if n not in _NO_COLUMNS and _is_shown([r.get(n) for r in rows])]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        is_id = name == "id" or name.endswith("_id")
        longest = max(len(written(row.get(name))) for row in rows)
        table.add_column(
            name.replace("_", " "), overflow="fold", min_width=longest if is_id else None
        )
    for row in rows:
        table.add_row(*(Text(written(row.get(name))) for name in names))
    console().print(table)


def _is_shown(values: Sequence[object]) -> bool:
    """Tell whether a column says anything, in few words; `--json` and `get` say all."""
    if all(value in (None, "", [], {}) for value in values):
        return False
    return all(
        not isinstance(v, dict) and not _are_objects(v) and len(written(v)) <= CELL_LENGTH_MAX
        for v in values
    )


def show_pairs(values: Mapping[str, Any]) -> None:
    """Print one thing, a line for each of its fields."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(values):
        table.add_row(name.replace("_", " "), Text(value))
    console().print(table)
    for name, value in values.items():
        if _are_objects(value):
            console().print(Text(f"\n{name.replace('_', ' ')}", style="bold"))
            show_rows(cast("list[dict[str, Any]]", value))


def _lines(values: Mapping[str, Any], indent: str = "") -> list[tuple[str, str]]:
    """Return names and values line by line; what lies inside of something is indented."""
    lines: list[tuple[str, str]] = []
    for name, value in values.items():
        if _are_objects(value):
            continue
        if isinstance(value, dict) and value:
            lines.append((f"{indent}{name}", ""))
            lines += _lines(cast("dict[str, Any]", value), f"{indent}  ")
            continue
        text = written(cast("object", value))
        items = cast("list[object]", value) if isinstance(value, list) else []
        if items and len(text) > CELL_LENGTH_MAX:
            first, *others = map(written, items)
            lines += [(f"{indent}{name}", first), *(("", other) for other in others)]
        else:
            lines.append((f"{indent}{name}", text))
    return lines


def _are_objects(value: object) -> bool:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return bool(items) and isinstance(items[0], dict)


def written(value: object) -> str:
    """Write one value in few words."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(written(v) for v in cast("list[object]", value)) or "-"
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return ", ".join(f"{k}={written(v)}" for k, v in pairs if v is not None) or "-"
    return _MOMENT.sub(r"\1 \2", str(value))
