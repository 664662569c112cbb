"""Users of Redis: one for each service, with the commands and keys that it needs and no others.

A service that is taken over reads no API keys, ends no other's keys and changes no configuration of
Redis, nor reads any: its passwords are among it. See https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
"""

import hashlib
from collections.abc import Mapping
from typing import Final

_CONNECTING: Final = (
    *("auth", "hello", "select", "ping", "info", "asking"),
    *("client|setname", "cluster|slots", "script|load", "evalsha", "eval"),
)

_DOCUMENTS: Final = (
    *("get", "set", "del", "exists", "expire", "pexpire", "pttl", "time", "scan"),
    *(
        "hget",
        "hgetall",
        "hset",
        "hdel",
        "hmget",
        "hincrby",
        "hsetnx",
        "hkeys",
        "hvals",
        "hexists",
        "hlen",
    ),
    *("zadd", "zrem", "zrange", "zrevrange", "zrangebyscore", "zrangebylex", "zremrangebyscore"),
    *("zcard", "zscore", "xadd", "rpush", "lrange", "ltrim", "llen", "incrby"),
)
"""What reads and changes records of sessions, files, locks and configuration."""

_EVENTS: Final = (
    *("lindex", "lpop", "sadd", "srem", "smembers", "zscan"),
    *("xread", "xrange", "xrevrange", "xdel", "xlen", "xtrim"),
)

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "gateway": (*_CONNECTING, *_DOCUMENTS, *_EVENTS, "incr"),
    "session-service": (*_CONNECTING, *_DOCUMENTS),
    "wopi-service": (*_CONNECTING, *_DOCUMENTS),
    "callback-worker": (*_CONNECTING, *_DOCUMENTS, *_EVENTS),
}

_COMMON: Final = (
    *("wopi:{??}:*", "wopi:{t:*}:tenant", "wopi:{t:*}:storages", "wopi:{t:*}:path:*"),
    *("wopi:tenants", "wopi:lease:*", "wopi:partitions", "wopi:schema"),
)

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "gateway": ("wopi:*",),
    "session-service": (
        *_COMMON,
        *("wopi:{t:*}:sessions", "wopi:{t:*}:user-info:*", "wopi:{e:*}:*", "wopi:launch:*"),
        *("wopi:instance", "wopi:{t:*}:spent:*"),
    ),
    "wopi-service": (
        *_COMMON,
        *("wopi:{t:*}:user-info:*", "wopi:{t:*}:rescued", "wopi:{t:*}:rescue:*"),
        *("wopi:{t:*}:aside", "wopi:{t:*}:sessions", "wopi:{e:*}:*", "wopi:sweep"),
        *("wopi:unsettled", "wopi:{t:*}:spent:*"),
    ),
    "callback-worker": (
        *_COMMON,
        *("wopi:{t:*}:rescued", "wopi:{t:*}:rescue:*", "wopi:{t:*}:audit", "wopi:{t:*}:audited:*"),
        *(
            "wopi:{t:*}:aside",
            "wopi:{t:*}:outbox",
            "wopi:{t:*}:outboxed:*",
            "wopi:audited",
            "wopi:upkeep-sweep",
        ),
    ),
}
"""Only the gateway sees API keys, the console's visits and kept answers."""


def user_of(service: str) -> str:
    """Return the name of a service's user."""
    return f"wopi-{service}"


def rules_of(service: str, password: str) -> list[str]:
    """Return the rules of a service's user, as `ACL SETUSER` and an ACL file take them."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    keys = [f"~{pattern}" for pattern in KEYS[service]]
    commands = [f"+{command}" for command in COMMANDS[service]]
    return ["reset", "on", f"#{digest}", *keys, "resetchannels", "-@all", *commands]
