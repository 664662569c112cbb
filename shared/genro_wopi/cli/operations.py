"""One command for each operation of the catalog, made from its declaration."""

import sys
from collections.abc import Callable
from typing import Any

import click
import msgspec

from genro_wopi.cli.parameters import TENANT, parameters, values_of
from genro_wopi.cli.profiles import Target, target
from genro_wopi.cli.run import HOST_NAMES, calling, host_options
from genro_wopi.cli.show import show
from genro_wopi.cli.transfer import STANDARD, fetch, send
from genro_wopi.client.blocking import BlockingClient
from genro_wopi.management.catalog import OPERATIONS
from genro_wopi.management.decode import convert_request
from genro_wopi.management.operation import Content, Operation


def add_operations(root: click.Group) -> None:
    """Add a group for each part of the catalog, with its commands."""
    for operation in OPERATIONS:
        name, _, verb = operation.name.partition(".")
        group = root.commands.get(name)
        if not isinstance(group, click.Group):
            group = click.Group(name, help=_group_help(operation))
            root.add_command(group)
        group.add_command(_command(operation), verb)


def _group_help(operation: Operation[Any, Any]) -> str:
    module = sys.modules[operation.request.__module__]
    return (module.__doc__ or "").strip().partition("\n")[0]


def _command(operation: Operation[Any, Any]) -> click.Command:
    fields = {f.encode_name for f in msgspec.structs.fields(operation.request)}
    words = parameters(operation)
    taken = {name for word in words for name in (word.name,)}
    if operation.content is Content.UPLOAD:
        words.insert(
            len([w for w in words if isinstance(w, click.Argument)]),
            click.Argument(["file"], type=click.Path(exists=True, dir_okay=False, allow_dash=True)),
        )
    if operation.content is Content.DOWNLOAD:
        text = "Where to write it; - is standard output."
        words.append(click.Option(["--output", "-o"], default=STANDARD, help=text))
    else:
        words.append(click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."))
    if "cursor" in fields:
        words.append(click.Option(["--all", "every"], is_flag=True, help="Read all pages."))
    if operation.warning:
        words.append(click.Option(["--yes", "-y"], is_flag=True, help="Do not ask."))
    has_tenant = TENANT in fields and TENANT not in taken
    return click.Command(
        None,
        params=[*words, *host_options(tenant=has_tenant)],
        callback=_callback(operation, has_tenant=has_tenant),
        help=_help(operation),
        short_help=operation.summary,
    )


def _help(operation: Operation[Any, Any]) -> str:
    doc = operation.request.__doc__ or ""
    return f"{operation.summary}\n\n{doc}\n\n{operation.method} {operation.path}"


def _callback(operation: Operation[Any, Any], *, has_tenant: bool) -> Callable[..., None]:
    def run(**given: Any) -> None:  # noqa: ANN401 - what click gives
        host = target({name: given.pop(name, None) for name in HOST_NAMES})
        values = values_of(operation, given)
        if has_tenant and host.tenant:
            values[TENANT] = host.tenant
        confirm(operation, is_sure=given.get("yes", True))
        with calling(host) as client:
            request = convert_request(values, operation.request, from_text=True)
            _carry_out(client, host, operation, request, given)

    return run


def confirm(operation: Operation[Any, Any], *, is_sure: bool) -> None:
    """Ask a person before what cannot be taken back; a script is not asked."""
    if operation.warning and not is_sure and sys.stdin.isatty():
        click.confirm(f"{operation.warning} Go on?", abort=True)


def _carry_out(
    client: BlockingClient,
    host: Target,
    operation: Operation[Any, Any],
    request: msgspec.Struct,
    given: dict[str, Any],
) -> None:
    del host
    if operation.content is Content.DOWNLOAD:
        fetch(client, operation, request, given["output"])
        return
    if operation.content is Content.UPLOAD:
        answer = send(client, operation, request, given["file"])
    elif given.get("every"):
        answer = all_pages(client, operation, request)
    else:
        answer = client.call(operation, request)
    show(answer, as_json=given["as_json"])


def all_pages(
    client: BlockingClient, operation: Operation[Any, Any], request: msgspec.Struct
) -> msgspec.Struct:
    """Read a list to its end."""
    items: list[Any] = []
    while True:
        page = client.call(operation, request)
        items += page.items
        if not page.next_cursor:
            return msgspec.structs.replace(page, items=items)
        request = msgspec.structs.replace(request, cursor=page.next_cursor)
