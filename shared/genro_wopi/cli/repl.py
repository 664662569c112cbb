"""``genro-wopi repl``: the client, connected, in IPython: completion, history, ``await``."""

from typing import Any

import click
import msgspec
from rich.pretty import pretty_repr

from genro_wopi.cli.profiles import Target
from genro_wopi.cli.run import with_host
from genro_wopi.client.api import ApiClient
from genro_wopi.client.blocking import BlockingClient
from genro_wopi.client.names import groups
from genro_wopi.management.operation import Operation

BANNER = """genro-wopi at {url}{tenant}
  {groups}
  tenants.list()      every operation by name; help(tenants.create) tells its fields
  await wopi.tenants.list()   the same without blocking
"""


@click.command()
@with_host
def repl(host: Target) -> None:
    """Talk to a host in Python: every operation by name, completed, with pretty answers."""
    try:
        import IPython  # noqa: PLC0415 - an extra
        from traitlets.config import Config  # noqa: PLC0415 - comes with it
    except ImportError as error:
        raise click.ClickException("this needs IPython: pip install 'genro-wopi[repl]'") from error
    with BlockingClient(host.url, host.token) as client:

        def call(operation: Operation[Any, Any], request: Any, *body: bytes) -> Any:  # noqa: ANN401 - the operation's own
            if host.tenant and getattr(request, "tenant_id", "") is None:
                request = msgspec.structs.replace(request, tenant_id=host.tenant)
            return client.call(operation, request, *body)

        names: dict[str, Any] = dict(groups(call))
        names |= {"wopi": ApiClient(host.url, host.token), "client": client}
        config = Config()
        config.TerminalInteractiveShell.banner1 = BANNER.format(
            url=host.url,
            tenant=f", tenant {host.tenant}" if host.tenant else "",
            groups=", ".join(n for n in names if n not in {"wopi", "client"}),
        )
        config.TerminalInteractiveShell.confirm_exit = False
        config.InteractiveShell.xmode = "Minimal"
        config.InteractiveShell.show_rewritten_input = False
        config.TerminalInteractiveShell.enable_tip = False
        config.PlainTextFormatter.type_printers = {msgspec.Struct: _pretty}
        IPython.start_ipython(argv=[], user_ns=names, config=config)


def _pretty(value: object, printer: Any, cycle: bool) -> None:  # noqa: ANN401, FBT001 - IPython's interface
    del cycle
    printer.text(pretty_repr(msgspec.to_builtins(value)))
