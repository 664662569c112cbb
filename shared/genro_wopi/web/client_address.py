"""From where a request comes, for shares and limits."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from litestar.types import Scope

Network = IPv4Network | IPv6Network


def client_address(scope: Scope, trusted: Sequence[Network] = ()) -> str:
    """Return the address of a request's client.

    Behind proxies that are trusted it is the last one in ``X-Forwarded-For`` that is none of
    theirs: what stands before it is the client's own word.

    Args:
        scope: of the request.
        trusted: networks of proxies whose header counts.
    """
    client = scope["client"]
    address = client[0] if client else ""
    if not trusted or not _is_in(address, trusted):
        return address
    said = [v for k, v in scope["headers"] if k.lower() == b"x-forwarded-for"]
    for part in reversed(b",".join(said).decode("latin-1").split(",")):
        found = part.strip()
        if not _is_address(found):
            return address
        address = found
        if not _is_in(address, trusted):
            return address
    return address


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks if network.version == parsed.version)
