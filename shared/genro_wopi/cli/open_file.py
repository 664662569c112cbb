"""``genro-wopi open``: from a file to an editor in the browser."""

import getpass
import webbrowser
from pathlib import Path

import click

from genro_wopi.cli.profiles import Target
from genro_wopi.cli.run import Refused, calling, with_host
from genro_wopi.cli.transfer import send
from genro_wopi.client.blocking import BlockingClient
from genro_wopi.domain.sessions import Permission
from genro_wopi.management.files import FILES_UPLOAD, FileRef
from genro_wopi.management.operation import Page
from genro_wopi.management.sessions import SESSIONS_CREATE, SessionCreate
from genro_wopi.management.storages import STORAGES_LIST, StorageListRequest
from genro_wopi.management.tenants import TENANTS_LIST


@click.command("open")
@click.argument("file")
@click.option("--storage", help="Where it lies or goes; needed where a tenant has several.")
@click.option("--path", help="Where in the storage; the file's own name where left out.")
@click.option("--view", is_flag=True, help="Open it read-only.")
@click.option("--user", default=getpass.getuser, help="Who edits.")
@click.option("--browser/--no-browser", default=True, help="Open the page, or only print it.")
@with_host
def open_file(
    host: Target,
    file: str,
    storage: str | None,
    path: str | None,
    user: str,
    *,
    view: bool,
    browser: bool,
) -> None:
    """Open a document in its editor.

    FILE is one of this machine, which is uploaded first, or the path of one in the storage.
    """
    local = Path(file)
    with calling(host) as client:
        tenant = host.tenant or _only_tenant(client)
        name = storage or _only_storage(client, tenant)
        there = path or (local.name if local.is_file() else file)
        if local.is_file():
            send(client, FILES_UPLOAD, FileRef(name=name, path=there, tenant_id=tenant), file)
            click.echo(f"Uploaded to {name}: {there}")
        session = client.call(
            SESSIONS_CREATE,
            SessionCreate(
                storage_name=name,
                file_path=there,
                permissions=[Permission.VIEW, *(() if view else (Permission.EDIT,))],
                account=user,
                user=user,
                tenant_id=tenant,
            ),
        )
    for note in session.notes:
        click.echo(note, err=True)
    click.echo(session.launch_url)
    if browser and not webbrowser.open(session.launch_url):
        click.echo("No browser could be opened: open the address yourself.", err=True)


def _only_tenant(client: BlockingClient) -> str | None:
    """Return the tenant where the operator has just one; None for a tenant's own key."""
    if client.caller.get().role != "admin":
        return None
    found = client.call(TENANTS_LIST, Page(limit=2)).items
    if len(found) == 1:
        return found[0].id
    raise Refused("Name the tenant: --tenant, or `genro-wopi use --tenant NAME` for good.")


def _only_storage(client: BlockingClient, tenant: str | None) -> str:
    found = [s.name for s in client.call(STORAGES_LIST, StorageListRequest(tenant_id=tenant)).items]
    if len(found) == 1:
        return found[0]
    raise Refused(f"Name the storage with --storage: {', '.join(found) or 'there is none yet'}.")
