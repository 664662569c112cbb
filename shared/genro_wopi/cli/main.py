"""``genro-wopi``: the local cluster, settings, keys, storages."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from genro_wopi.cli import storages
from genro_wopi.dev.cluster import (
    DevError,
    Plan,
    demo_folder,
    new_encryption_key,
    new_signing_key,
    run_cluster,
    verify_keys,
)
from genro_wopi.runtime.settings import SETTINGS, Setting

app = typer.Typer(
    help="A WOPI host for Collabora, OnlyOffice and Microsoft 365.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)

app.add_typer(storages.app, name="storages")


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of the gateway.", min=1, max=65535)] = 8080,
    data_dir: Annotated[Path, typer.Option(help="Files, Redis, secrets.")] = Path(".dev"),
    replicas: Annotated[int, typer.Option(help="wopi-services to run.", min=1, max=16)] = 2,
    demo: Annotated[  # noqa: FBT002 - a flag of the command line
        bool,
        typer.Option("--demo/--no-demo", help="Run the dev editor and the demo application too."),
    ] = True,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    log_format: Annotated[str, typer.Option(help="console or json.")] = "console",
) -> None:
    """Run the local cluster until Ctrl-C."""
    if log_format not in {"console", "json"}:
        raise typer.BadParameter("use console or json", param_hint="--log-format")
    has_demo = demo and demo_folder() is not None
    if demo and not has_demo:
        typer.echo("The demo lies in the source tree and is not installed: started without it.")
    plan = Plan(
        host=host,
        port=port,
        data_dir=data_dir,
        replicas=replicas,
        demo=has_demo,
        log_format=log_format,
    )
    try:
        asyncio.run(run_cluster(plan, os.environ))
    except DevError as error:
        typer.echo(f"genro-wopi: {error}", err=True)
        raise typer.Exit(error.exit_code) from error


@app.command()
def settings() -> None:
    """List every setting with its type, default and services."""
    typer.echo("\n\n".join(describe(setting) for setting in SETTINGS))


def describe(setting: Setting) -> str:
    """Write one setting as text that is also Markdown."""
    default = "required" if setting.default is None else f"default `{setting.default}`"
    if not setting.default and setting.default is not None:
        default = "empty by default"
    services = ", ".join(sorted(setting.services))
    return (
        f"- `{setting.variable}` ({setting.kind}; {default})\n  {setting.help}\n"
        f"  For {services}. Example: `{setting.example}`"
    )


@app.command()
def keys() -> None:
    """Make new keys for an installation; keep them secret."""
    signing = new_signing_key()
    typer.echo(f"WOPI_ENCRYPTION_KEYS={new_encryption_key()}")
    typer.echo(f"WOPI_SIGNING_KEYS={signing}")
    typer.echo(f"WOPI_VERIFY_KEYS={verify_keys(signing)}")


def main() -> None:
    """Run the command line."""
    sys.exit(app())


if __name__ == "__main__":
    main()
