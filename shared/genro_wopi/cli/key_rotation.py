"""``genro-wopi keys``: new keys, keys beside those in use, and secrets encrypted anew."""

import os
from collections import Counter
from pathlib import Path

import click

from genro_wopi.adapters.new_keys import (
    new_encryption_key,
    new_signing_key,
    verify_keys,
    with_new_key,
)
from genro_wopi.cli.profiles import Target
from genro_wopi.cli.run import EXIT_REFUSED, calling, with_host
from genro_wopi.cli.transfer import counter
from genro_wopi.management.instance import INSTANCE_RESEAL, Reseal

ENCRYPTION = "WOPI_ENCRYPTION_KEYS"
SIGNING = "WOPI_SIGNING_KEYS"


@click.group(invoke_without_command=True)
@click.pass_context
def keys(context: click.Context) -> None:
    """Make new keys for an installation; keep them secret."""
    if context.invoked_subcommand is None:
        _print(new_encryption_key(), new_signing_key())


@keys.command()
@click.option("--encryption/--no-encryption", default=True, help="A key for secret fields.")
@click.option("--signing/--no-signing", default=True, help="A key for access tokens.")
def add(*, encryption: bool, signing: bool) -> None:
    """Put new keys before those of the environment; the old ones stay valid beside them.

    Reads WOPI_ENCRYPTION_KEYS and WOPI_SIGNING_KEYS, or the files of the same names with _FILE.
    """
    encrypting, signed = _current(ENCRYPTION), _current(SIGNING)
    wanted = ((encryption, ENCRYPTION, encrypting), (signing, SIGNING, signed))
    missing = [name for is_wanted, name, value in wanted if is_wanted and not value]
    if missing:
        raise click.ClickException(
            f"{' and '.join(missing)} is not set here: run this where the services get theirs from,"
            " or leave one out (--no-signing, --no-encryption)"
        )
    try:
        _print(
            with_new_key(encrypting, new_encryption_key) if encryption else "",
            with_new_key(signed, new_signing_key) if signing else "",
        )
    except ValueError as error:
        raise click.ClickException(
            f"the keys of the environment cannot be read: {error}"
        ) from error
    click.echo(
        "Set these for all services and restart them: those that only read first (wopi-service),"
        " the session-service last. Then run `genro-wopi keys rotate`.",
        err=True,
    )


@keys.command()
@with_host
def rotate(host: Target) -> None:
    """Encrypt all secrets anew under the first key of WOPI_ENCRYPTION_KEYS.

    Exits with 1 where one cannot be read: the key that it was encrypted with is missing.
    """
    resealed, tenants, unreadable, used, cursor = 0, 0, list[str](), Counter[str](), ""
    with calling(host) as client, counter("tenants") as advance:
        while True:
            part = client.call(INSTANCE_RESEAL, Reseal(cursor=cursor))
            advance(part.tenants)
            tenants += part.tenants
            resealed += part.resealed
            unreadable += part.unreadable
            used.update(part.keys)
            if part.next_cursor is None:
                break
            cursor = part.next_cursor
    click.echo(f"{tenants} tenants: {resealed} secrets encrypted anew.")
    for kid, count in sorted(used.items()):
        click.echo(f"  key {kid}: {count}")
    for context in unreadable:
        click.echo(f"  cannot be read: {context}", err=True)
    if unreadable:
        raise SystemExit(EXIT_REFUSED)
    click.echo("Keys that are not listed can be removed in eight days, when no session needs them.")


def _current(name: str) -> str:
    file = os.environ.get(f"{name}_FILE")
    try:
        return Path(file).read_text("utf-8").strip() if file else os.environ.get(name, "")
    except OSError as error:
        raise click.ClickException(f"{name}_FILE: {error}") from error


def _print(encryption: str, signing: str) -> None:
    if encryption:
        click.echo(f"{ENCRYPTION}={encryption}")
    if signing:
        click.echo(f"{SIGNING}={signing}")
        click.echo(f"WOPI_VERIFY_KEYS={verify_keys(signing)}")
