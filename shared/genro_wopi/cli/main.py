"""``genro-wopi``: the local cluster, and every management operation as a command."""

import sys
from importlib.metadata import version

import click

from genro_wopi.cli.accounts import current, login, logout, use
from genro_wopi.cli.apply import apply, export
from genro_wopi.cli.doctor import doctor
from genro_wopi.cli.fsck import fsck
from genro_wopi.cli.key_rotation import keys
from genro_wopi.cli.local import dev, serve, settings
from genro_wopi.cli.open_file import open_file
from genro_wopi.cli.operations import add_operations
from genro_wopi.cli.redis_acl import redis_acl
from genro_wopi.cli.repl import repl

HELP = """A WOPI host for Collabora, OnlyOffice and Microsoft 365.

`genro-wopi dev` runs a cluster on this machine. The other commands call a host: log in once with
`genro-wopi login URL`, or set WOPI_URL and WOPI_TOKEN; in the folder of a local cluster neither is
needed.

Exit codes: 0 done; 1 refused, or something was found; 2 wrong use; 3 the host does not answer.
"""


LOCAL = (dev, serve, settings, keys, login, use, current, logout)


def build() -> click.Group:
    """Build the command line."""
    root = click.Group(
        "genro-wopi", help=HELP, context_settings={"help_option_names": ["-h", "--help"]}
    )
    click.version_option(version("genro-wopi"))(root)
    for command in (*LOCAL, redis_acl, apply, export, doctor, open_file, repl, completion):
        root.add_command(command)
    add_operations(root)
    storages = root.commands["storages"]
    assert isinstance(storages, click.Group)  # noqa: S101 - the catalog has storages
    storages.add_command(fsck)
    return root


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands: eval "$(genro-wopi completion bash)"."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - only here

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - the choices are click's
    click.echo(kind(build(), {}, "genro-wopi", "_GENRO_WOPI_COMPLETE").source())


def main() -> None:
    """Run the command line."""
    sys.exit(build()(prog_name="genro-wopi", complete_var="_GENRO_WOPI_COMPLETE"))


if __name__ == "__main__":
    main()
