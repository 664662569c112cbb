"""``genro-wopi storages``: what an operator does with a tenant's storages."""

import asyncio
from collections import Counter
from typing import Annotated

import httpx
import typer

from genro_wopi.client.api import ApiClient, ApiError
from genro_wopi.management.registry import STORAGES_FSCK, Finding, StorageCheck

app = typer.Typer(help="Storages of a tenant.", no_args_is_help=True)

EXIT_FOUND = 1
"""Something disagrees and was not repaired."""

EXIT_FAILED = 2


@app.command()
def fsck(
    name: Annotated[str, typer.Argument(help="Name of the storage.")],
    token: Annotated[str, typer.Option(envvar="WOPI_TOKEN", help="Admin token or API key.")],
    url: Annotated[
        str, typer.Option(envvar="WOPI_URL", help="Where the gateway is.")
    ] = "http://127.0.0.1:8080",
    tenant: Annotated[str | None, typer.Option(help="Whose storage; for the operator.")] = None,
    repair: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--repair", help="Make the registry agree with the storage.")
    ] = False,
) -> None:
    """Compare the registry with what lies in a storage; exits with 1 where something is left."""
    try:
        left = asyncio.run(_check(url, token, name, tenant, repair=repair))
    except (ApiError, httpx.HTTPError) as error:
        typer.echo(f"genro-wopi: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from error
    if left:
        if not repair:
            typer.echo("Run it again with --repair to make the registry agree.")
        raise typer.Exit(EXIT_FOUND)


async def _check(url: str, token: str, name: str, tenant: str | None, *, repair: bool) -> int:
    found, checked, cursor = Counter[str](), 0, ""
    async with ApiClient(url, token) as client:
        while True:
            request = StorageCheck(name=name, repair=repair, cursor=cursor, tenant_id=tenant)
            part = await client.call(STORAGES_FSCK, request)
            checked += part.checked
            for finding in part.items:
                found["repaired" if finding.repaired else "left"] += 1
                typer.echo(_line(finding))
            if part.next_cursor is None:
                break
            cursor = part.next_cursor
    typer.echo(f"{checked} checked, {found['repaired']} repaired, {found['left']} left.")
    return found["left"]


def _line(finding: Finding) -> str:
    state = "repaired" if finding.repaired else "left"
    return f"{finding.problem:<14} {state:<9} {finding.path}  {finding.file_id}"
