"""From an address to what makes connections: one server, or the primary that Sentinels name.

    redis://user:password@host:6379/0         one server; rediss:// with TLS, unix:// for a socket
    redis+sentinel://user:password@host:26379,host:26379/service/0     rediss+sentinel:// with TLS

User and password are those of the servers; Sentinels with a password of their own get it by
``?sentinel_password=``. After a failover the next connection asks the Sentinels anew.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedSSLConnection
from redis.backoff import NoBackoff

SENTINEL: Final = "+sentinel"
SENTINEL_PORT: Final = 26379


Close = Callable[[], Awaitable[None]]


def pool_for(
    url: str, *, socket_timeout_s: float, connect_timeout_s: float
) -> tuple[ConnectionPool, Close]:
    """Build what makes connections to the server of an address, and what closes it.

    Raises:
        ValueError: the address cannot be read; the message says what is wrong.
    """
    options: dict[str, Any] = {
        "socket_timeout": socket_timeout_s,
        "socket_connect_timeout": connect_timeout_s,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "client_name": "genro-wopi",
        "protocol": 2,
    }
    if SENTINEL in url.partition("://")[0]:
        return _behind_sentinels(url, options)
    pool = ConnectionPool.from_url(url, **options)  # pyright: ignore[reportUnknownMemberType]
    return pool, _nothing


async def _nothing() -> None:
    return


def _behind_sentinels(url: str, options: dict[str, Any]) -> tuple[ConnectionPool, Close]:
    parts = urlsplit(url)
    credentials, _, places = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    path = parts.path.strip("/").split("/")
    hosts = [_place(place) for place in places.split(",") if place]
    if not hosts or not path[0]:
        raise ValueError("write redis+sentinel://host:26379,host:26379/service/0")
    own: dict[str, Any] = {
        "username": unquote(user) or None,
        "password": unquote(password) or None,
        "db": int(path[1]) if len(path) > 1 else 0,
    }
    asked: dict[str, Any] = {
        "socket_timeout": options["socket_connect_timeout"],
        "socket_connect_timeout": options["socket_connect_timeout"],
        "password": (parse_qs(parts.query).get("sentinel_password") or [None])[0],
        "protocol": 2,
    }
    if parts.scheme.startswith("rediss"):
        own["connection_class"] = SentinelManagedSSLConnection
        asked["ssl"] = True
    sentinels: Any = Sentinel(hosts, sentinel_kwargs=asked)
    untyped: Any = SentinelConnectionPool
    pool: ConnectionPool = untyped(path[0], sentinels, is_master=True, **options, **own)

    async def close() -> None:
        for sentinel in sentinels.sentinels:
            await sentinel.aclose()

    return pool, close


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return (host, int(port)) if host else (text, SENTINEL_PORT)
