"""``genro-wopi storages fsck``: the whole storage, part after part."""

from collections import Counter
from typing import Final

import click

from genro_wopi.cli.profiles import Target
from genro_wopi.cli.run import EXIT_REFUSED, calling, with_host
from genro_wopi.cli.transfer import counter
from genro_wopi.management.registry import STORAGES_FSCK, Finding, StorageCheck

EXIT_FOUND: Final = EXIT_REFUSED
"""Something disagrees and was not repaired."""


@click.command(short_help=STORAGES_FSCK.summary)
@click.argument("name")
@click.option("--repair", is_flag=True, help="Make the registry agree with the storage.")
@with_host
def fsck(host: Target, name: str, *, repair: bool) -> None:
    """Compare the registry with what lies in a storage; exits with 1 where something is left."""
    found, checked, cursor = Counter[str](), 0, ""
    with calling(host) as client, counter(name) as advance:
        while True:
            request = StorageCheck(name=name, repair=repair, cursor=cursor, tenant_id=host.tenant)
            part = client.call(STORAGES_FSCK, request)
            checked += part.checked
            advance(part.checked)
            for finding in part.items:
                found["repaired" if finding.repaired else "left"] += 1
                click.echo(_line(finding))
            if part.next_cursor is None:
                break
            cursor = part.next_cursor
    click.echo(f"{checked} checked, {found['repaired']} repaired, {found['left']} left.")
    if found["left"]:
        if not repair:
            click.echo("Run it again with --repair to make the registry agree.")
        raise SystemExit(EXIT_FOUND)


def _line(finding: Finding) -> str:
    state = "repaired" if finding.repaired else "left"
    return f"{finding.problem:<14} {state:<9} {finding.path}  {finding.file_id}"
