"""Profiles: logging in once instead of saying each time which host, as whom, for whom."""

import click
import httpx
import msgspec

from genro_wopi.cli.profiles import DEFAULT, URL_DEFAULT, Profile, load, place, save, target
from genro_wopi.cli.run import Refused, Unreachable


@click.command()
@click.argument("url", default=URL_DEFAULT)
@click.option("--token", help="Admin token or API key; asked for where it is left out.")
@click.option("--tenant", help="Whose things commands are about, for the operator.")
@click.option("--profile", default=DEFAULT, show_default=True, help="A name for it.")
def login(url: str, token: str | None, tenant: str | None, profile: str) -> None:
    """Remember a host and how to call it, for this user only."""
    secret = token or click.prompt("Admin token or API key", hide_input=True)
    _try(url, secret)
    kept = load()
    made = Profile(url=url.rstrip("/"), token=secret, tenant=tenant)
    save(msgspec.structs.replace(kept, current=profile, profiles=kept.profiles | {profile: made}))
    click.echo(f"Logged in at {url}; {place()} keeps it.")


@click.command()
@click.argument("profile", required=False)
@click.option("--tenant", help="Whose things commands are about from now on; '' for none.")
def use(profile: str | None, tenant: str | None) -> None:
    """Choose a profile, or a tenant, for the commands that follow."""
    kept = load()
    name = profile or kept.current
    if name not in kept.profiles:
        known = ", ".join(sorted(kept.profiles)) or "there is none yet"
        raise click.ClickException(f"there is no profile {name!r} ({known}); see genro-wopi login")
    chosen = kept.profiles[name]
    if tenant is not None:
        chosen = msgspec.structs.replace(chosen, tenant=tenant or None)
    save(msgspec.structs.replace(kept, current=name, profiles=kept.profiles | {name: chosen}))
    click.echo(f"{name}: {chosen.url}, tenant {chosen.tenant or '-'}")


@click.command()
@click.option("--profile", help="Another profile than the current one.")
def current(profile: str | None) -> None:
    """Say which host commands call, and for which tenant."""
    host = target({"profile": profile})
    click.echo(f"{host.url}, tenant {host.tenant or '-'}, from {host.source}")


@click.command()
@click.argument("profile", required=False)
def logout(profile: str | None) -> None:
    """Forget a profile and its token."""
    kept = load()
    name = profile or kept.current
    left = {n: p for n, p in kept.profiles.items() if n != name}
    save(msgspec.structs.replace(kept, current=next(iter(left), DEFAULT), profiles=left))
    click.echo(f"{name}: forgotten")


def _try(url: str, token: str) -> None:
    """Ask for something that every token may see."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.get(f"{url.rstrip('/')}/api/caller", headers=headers, timeout=10)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(f"{url} does not answer: {error or type(error).__name__}") from error
    if answer.status_code in {401, 403}:
        raise Refused("This token does not count there.")
    if not answer.is_success:
        raise Refused(f"{url} answered {answer.status_code}: is a genro-wopi there?")
