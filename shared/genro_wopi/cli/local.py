"""What needs no host: the local cluster and the settings.

What runs services is imported where it is run: the other commands begin in half the time.
"""

import importlib
import os
import signal
from pathlib import Path

import click

from genro_wopi.runtime.settings import SETTINGS, Service, Setting


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8080, help="Port of the gateway.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=Path(".dev"),
    help="Files, Redis, secrets.",
)
@click.option("--replicas", type=click.IntRange(1, 16), default=2, help="wopi-services to run.")
@click.option("--demo/--no-demo", default=True, help="Run the dev editor and the demo too.")
@click.option("--host", default="127.0.0.1", help="Address to listen at.")
@click.option("--log-format", type=click.Choice(["console", "json"]), default="console")
def dev(
    port: int, data_dir: Path, replicas: int, *, demo: bool, host: str, log_format: str
) -> None:
    """Run the local cluster until Ctrl-C."""
    from genro_wopi.dev.cluster import EXIT_SIGNALLED, run_cluster  # noqa: PLC0415 - see above
    from genro_wopi.dev.errors import DevError  # noqa: PLC0415 - see above
    from genro_wopi.dev.processes import Plan, demo_folder  # noqa: PLC0415 - see above

    has_demo = demo and demo_folder() is not None
    if demo and not has_demo:
        click.echo("The demo lies in the source tree and is not installed: started without it.")
    plan = Plan(
        host=host,
        port=port,
        data_dir=data_dir,
        replicas=replicas,
        demo=has_demo,
        log_format=log_format,
    )
    try:
        exit_code = run_cluster(plan, os.environ)
    except DevError as error:
        click.echo(f"genro-wopi: {error}", err=True)
        exit_code = error.exit_code
    except KeyboardInterrupt:  # Before the cluster listens for signals.
        exit_code = EXIT_SIGNALLED + signal.SIGINT
    raise SystemExit(exit_code)


@click.command()
@click.argument("service", type=click.Choice([service.value for service in Service]))
def serve(service: str) -> None:
    """Run one service in the foreground, configured by WOPI_*; see `genro-wopi settings`."""
    from genro_wopi.runtime.lifecycle import run_service  # noqa: PLC0415 - see above

    module = f"genro_wopi.{service.replace('-', '_')}"
    try:
        app = importlib.import_module(f"{module}.app")
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error.name} is not installed here: pip install 'genro-wopi[{service}]'"
        ) from error
    raise SystemExit(run_service(Service(service), app.run))


@click.command()
def settings() -> None:
    """List every setting with its type, default and services."""
    click.echo("\n\n".join(describe(setting) for setting in SETTINGS))


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
