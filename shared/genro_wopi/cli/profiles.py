"""Which host, as whom, and whose tenant: from options, environment, profile, local cluster."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
import msgspec

DEFAULT: Final = "default"
URL_DEFAULT: Final = "http://127.0.0.1:8080"
LOCAL_CLUSTER: Final = Path(".dev")
"""Where `genro-wopi dev` keeps its token, seen from the folder that it was started in."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One host and how to call it."""

    url: str
    token: str
    tenant: str | None = None

    def __repr__(self) -> str:
        return f"Profile({self.url})"


class Profiles(msgspec.Struct, frozen=True, kw_only=True):
    """All profiles, and the one that counts where none is named."""

    current: str = DEFAULT
    profiles: dict[str, Profile] = {}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a command calls."""

    url: str
    token: str
    tenant: str | None
    source: str
    """Where it comes from, in words."""

    def __repr__(self) -> str:
        return f"Target({self.url}, from {self.source})"


def place() -> Path:
    """Return the file of the profiles."""
    named = os.environ.get("WOPI_PROFILES")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME")
    base = Path(home) if home else Path.home() / ".config"
    return base / "genro-wopi" / "profiles.json"


def load() -> Profiles:
    """Read the profiles; none where there is no file.

    Raises:
        click.ClickException: the file cannot be read.
    """
    try:
        return msgspec.json.decode(place().read_bytes(), type=Profiles)
    except FileNotFoundError:
        return Profiles()
    except (OSError, msgspec.DecodeError) as error:
        raise click.ClickException(
            f"{place()} cannot be read: {error}; mend it or remove it"
        ) from error


def save(profiles: Profiles) -> None:
    """Write the profiles so that only their owner reads them."""
    file = place()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(msgspec.json.encode(profiles))
    draft.replace(file)


def target(
    options: Mapping[str, str | None], environment: Mapping[str, str] | None = None
) -> Target:
    """Choose what to call: options before environment, before the profile, before a local cluster.

    Raises:
        click.ClickException: nothing says as whom.
    """
    known = environment if environment is not None else os.environ
    profiles = load()
    name = options.get("profile") or known.get("WOPI_PROFILE") or profiles.current
    profile = profiles.profiles.get(name)
    if profile is None and (options.get("profile") or known.get("WOPI_PROFILE")):
        named = ", ".join(sorted(profiles.profiles)) or "there is none yet"
        raise click.ClickException(f"there is no profile {name!r} ({named}); see genro-wopi login")
    url = options.get("host") or known.get("WOPI_URL")
    token = options.get("token") or known.get("WOPI_TOKEN")
    tenant = options.get("tenant") or known.get("WOPI_TENANT")
    if token:
        return Target(url=url or URL_DEFAULT, token=token, tenant=tenant, source="the options")
    if profile is not None and url in (None, profile.url):
        return Target(
            url=profile.url,
            token=profile.token,
            tenant=tenant or profile.tenant,
            source=f"the profile {name!r}",
        )
    local = _local_cluster()
    if local is not None and url in (None, local.url):
        return Target(url=local.url, token=local.token, tenant=tenant, source=str(LOCAL_CLUSTER))
    raise click.ClickException(
        "no token: run `genro-wopi login URL`, or set WOPI_URL and WOPI_TOKEN (the admin token or a"
        " tenant's API key)"
    )


def _local_cluster() -> Profile | None:
    try:
        url = (LOCAL_CLUSTER / "public-url").read_text("utf-8").strip()
        token = (LOCAL_CLUSTER / "admin-token").read_text("utf-8").strip()
    except OSError:
        return None
    return Profile(url=url, token=token)
