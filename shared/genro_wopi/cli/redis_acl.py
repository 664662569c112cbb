"""``genro-wopi redis-acl``: a user of Redis for each service."""

import secrets

import click

from genro_wopi.adapters.redis.acl import COMMANDS, rules_of, user_of


@click.command("redis-acl")
@click.option("--password", help="One for all; a new one for each service where it is left out.")
def redis_acl(password: str | None) -> None:
    """Print users of Redis with what each service needs, as lines of an ACL file.

    The passwords, which are not in the lines, come on standard error.
    """
    for service in COMMANDS:
        own = password or secrets.token_urlsafe(24)
        click.echo(f"user {user_of(service)} {' '.join(rules_of(service, own))}")
        click.echo(
            f"# {service}: WOPI_REDIS_URL=redis://{user_of(service)}:{own}@redis:6379/0", err=True
        )
