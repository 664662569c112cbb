"""From an address to a server: one, the primary that Sentinels name, or the nodes of a cluster.

    redis://user:password@host:6379/0         one server; rediss:// with TLS, unix:// for a socket
    redis+sentinel://user:password@host:26379,host:26379/service/0     rediss+sentinel:// with TLS
    redis+cluster://user:password@host:6379,host:6379                  rediss+cluster:// with TLS

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

from genro_wopi.adapters.redis.cluster import CLUSTER, ClusterConnections
from genro_wopi.adapters.redis.connections import Connections

SENTINEL: Final = "+sentinel"
SENTINEL_PORT: Final = 26379


Close = Callable[[], Awaitable[None]]


def exchange_for(
    url: str, *, socket_timeout_s: float, connect_timeout_s: float
) -> tuple[Connections | ClusterConnections, Close]:
    """Build what exchanges commands for replies with the server of an address, and what closes it.

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
        "driver_info": None,  # Two commands fewer for each connection; older servers refuse them.
    }
    scheme = url.partition("://")[0]
    if CLUSTER in scheme:
        return ClusterConnections(url, options, patience_s=connect_timeout_s), _nothing
    if SENTINEL in scheme:
        pool, close = _behind_sentinels(url, options)
    else:
        pool = ConnectionPool.from_url(url, **options)  # pyright: ignore[reportUnknownMemberType]
        close = _nothing
    return Connections(pool, patience_s=connect_timeout_s), close


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
