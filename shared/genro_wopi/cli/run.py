"""Calling the host for one command: options that all commands have, errors, exit codes."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final

import click
import httpx

from genro_wopi.cli.profiles import Target, target
from genro_wopi.client.blocking import BlockingClient
from genro_wopi.client.calls import ApiError
from genro_wopi.domain.errors import InvalidFieldsError

EXIT_REFUSED: Final = 1
"""The host refused, or a check found something."""

EXIT_UNREACHABLE: Final = 3

_HINTS: Final = {
    401: "The token does not count here: run `genro-wopi login` or set WOPI_TOKEN.",
    403: "This needs the admin token.",
}

HOST_NAMES: Final = ("host", "token", "profile", "tenant")

HOST_OPTIONS: Final = (
    ("--host", "Where the gateway is: https://wopi.example.org (WOPI_URL)."),
    ("--token", "Admin token or API key (WOPI_TOKEN)."),
    ("--profile", "A profile of `genro-wopi login` (WOPI_PROFILE)."),
)


def host_options(*, tenant: bool = True) -> list[click.Parameter]:
    """Build the options that say which host is called, as whom, for whom."""
    found: list[click.Parameter] = [click.Option([name], help=text) for name, text in HOST_OPTIONS]
    if tenant:
        text = "Whose; for the operator (WOPI_TENANT)."
        found.append(click.Option(["--tenant"], help=text))
    return found


def with_host(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a hand-written command the options of the host and a `Target` as ``host``."""

    @wraps(command)
    def wrapped(**values: Any) -> Any:  # noqa: ANN401 - what click gives
        options = {n: values.pop(n, None) for n in HOST_NAMES}
        return command(host=target(options), **values)

    known: list[click.Parameter] = getattr(command, "__click_params__", [])
    wrapped.__click_params__ = [*reversed(host_options()), *known]  # pyright: ignore[reportAttributeAccessIssue]
    return wrapped


@contextmanager
def calling(host: Target) -> Generator[BlockingClient]:
    """Open a client; what goes wrong is said in words, with an exit code.

    Raises:
        Refused: the host refused.
        Unreachable: it does not answer.
    """
    try:
        with BlockingClient(host.url, host.token) as client:
            yield client
    except ApiError as error:
        hint = _HINTS.get(error.status, "")
        raise Refused(f"{error}\n{hint}".strip()) from error
    except InvalidFieldsError as error:
        lines = [f"  {field.field}: {field.problem}" for field in error.errors]
        raise click.UsageError("\n".join(["these are wrong:", *lines])) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(
            f"{host.url} (from {host.source}) does not answer: {error or type(error).__name__}"
        ) from error


class Refused(click.ClickException):
    """The host refused."""

    exit_code = EXIT_REFUSED

    def show(self, file: Any = None) -> None:  # noqa: ANN401 - click's interface
        """Say it on standard error."""
        click.echo(f"genro-wopi: {self.message}", err=True, file=file)


class Unreachable(Refused):
    """The host does not answer."""

    exit_code = EXIT_UNREACHABLE
