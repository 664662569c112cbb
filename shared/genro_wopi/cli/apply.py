"""``genro-wopi apply`` and ``export``: the configuration as a file."""

import os
from pathlib import Path
from typing import Any, Final, cast

import click
import msgspec
from rich.text import Text

from genro_wopi.cli.operations import confirm
from genro_wopi.cli.profiles import Target
from genro_wopi.cli.run import EXIT_REFUSED, calling, with_host
from genro_wopi.cli.show import console, show
from genro_wopi.management.configuration import (
    CONFIGURATION_APPLY,
    CONFIGURATION_EXPORT,
    Action,
    Change,
    ConfigurationApply,
    ConfigurationExport,
)
from genro_wopi.management.decode import convert_request

_SIGNS: Final = {
    Action.CREATED: ("+", "green"),
    Action.UPDATED: ("~", "yellow"),
    Action.REMOVED: ("-", "red"),
    Action.UNCHANGED: ("=", "dim"),
    Action.FAILED: ("!", "bold red"),
}
_PRUNING: Final = msgspec.structs.replace(
    CONFIGURATION_APPLY, warning="What the file does not name is removed, tenants included."
)


@click.command()
@click.option(
    "-f",
    "--file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="YAML or JSON; - is standard input.",
)
@click.option("--prune", is_flag=True, help="Remove what the file does not name.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_host
def apply(host: Target, file: str, *, prune: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Make tenants, storages and editors as a file says; what is so already stays.

    Secrets are written as {env: NAME} or {file: PATH}; {keep: true} leaves the one that is there.
    Exits with 1 where something could not be done.
    """
    document = _read(file)
    unknown = sorted(set(document) - {"tenants", "editors"})
    if unknown:
        raise click.ClickException(f"{file}: unknown {', '.join(unknown)}; use tenants, editors")
    if prune and not dry_run:
        confirm(_PRUNING, is_sure=yes)
    with calling(host) as client:
        values = document | {"prune": prune, "dry_run": dry_run}
        request = convert_request(values, ConfigurationApply, from_text=False)
        applied = client.call(CONFIGURATION_APPLY, request)
    if as_json:
        show(applied, as_json=True)
    else:
        _show(applied.items, is_dry=dry_run)
    if not applied.is_complete:
        raise SystemExit(EXIT_REFUSED)


@click.command()
@click.option("-o", "--output", default="-", help="Where to write it; - is standard output.")
@with_host
def export(host: Target, output: str) -> None:
    """Write tenants, storages and editors as a file that `apply` takes, without secrets."""
    with calling(host) as client:
        configuration = client.call(CONFIGURATION_EXPORT, ConfigurationExport())
    values = msgspec.to_builtins(_without_defaults(configuration))
    text = msgspec.yaml.encode(values).decode()
    if output == "-":
        click.echo(text, nl=False)
    else:
        Path(output).write_text(text, "utf-8")


def _without_defaults(value: Any) -> Any:  # noqa: ANN401 - YAML
    """Leave out what `apply` would take for granted."""
    if isinstance(value, msgspec.Struct):
        return {
            field.encode_name: _without_defaults(getattr(value, field.name))
            for field in msgspec.structs.fields(value)
            if getattr(value, field.name) != _default_of(field)
        }
    if isinstance(value, dict):
        return {k: _without_defaults(v) for k, v in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_without_defaults(v) for v in cast("list[Any]", value)]
    return value


def _default_of(field: msgspec.structs.FieldInfo) -> object:
    if callable(field.default_factory):
        return field.default_factory()
    return field.default


def _read(file: str) -> dict[str, Any]:
    """Read a document and the secrets that it names.

    Raises:
        click.ClickException: it cannot be read, or secrets are missing; all of them.
    """
    with click.open_file(file, "rb") as stream:
        content = stream.read()
    try:
        document = msgspec.yaml.decode(content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise click.ClickException(f"{file}: {error}") from error
    missing: list[str] = []
    base = Path.cwd() if file == "-" else Path(file).parent
    resolved = cast("dict[str, Any]", _resolve(document, base, "", missing))
    if missing:
        raise click.ClickException(f"{file}: secrets are missing:\n  " + "\n  ".join(missing))
    return resolved


def _resolve(value: Any, base: Path, where: str, missing: list[str]) -> Any:  # noqa: ANN401 - YAML
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_resolve(v, base, f"{where}[{n}]", missing) for n, v in enumerate(items)]
    if not isinstance(value, dict):
        return value
    pairs = cast("dict[str, Any]", value)
    if set(pairs) == {"env"}:
        found = os.environ.get(str(pairs["env"]))
        if found is None:
            missing.append(f"{where}: the environment has no {pairs['env']}")
        return found
    if set(pairs) == {"file"}:
        path = base / str(pairs["file"])
        try:
            return path.read_text("utf-8").strip()
        except OSError as error:
            missing.append(f"{where}: {path}: {error.strerror}")
            return None
    return {k: _resolve(v, base, f"{where}.{k}".lstrip("."), missing) for k, v in pairs.items()}


def _show(changes: list[Change], *, is_dry: bool) -> None:
    screen, unchanged = console(), 0
    for change in changes:
        if change.action is Action.UNCHANGED:
            unchanged += 1
            continue
        sign, style = _SIGNS[change.action]
        screen.print(Text(f"{sign} {change.kind} {change.name}", style=style))
        for field in change.fields:
            screen.print(Text(f"    {field.field}: {field.old} → {field.new}"), soft_wrap=True)
        if change.reason:
            screen.print(Text(f"    {change.reason}"), soft_wrap=True)
        if change.api_key:
            screen.print(Text(f"    its first API key, shown this once: {change.api_key}"))
    done = len(changes) - unchanged
    click.echo(f"{done} {'would be changed' if is_dry else 'changed'}, {unchanged} unchanged.")
