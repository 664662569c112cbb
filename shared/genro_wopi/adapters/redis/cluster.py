"""Redis Cluster: each command goes to the node that has its slot, in one round trip for each node.

All keys that a script touches share a hash tag, so a script always finds its keys on one node. What
names no key goes to one node, or to all where it is about the whole. After a failover, or while
slots move, the map of slots is read anew; commands are safe to run twice.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from redis.asyncio import ConnectionPool, SSLConnection
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, ResponseError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError

from genro_wopi.adapters.redis.connections import Argument, Connections, Reply

CLUSTER: Final = "+cluster"
PORT: Final = 6379

Place = tuple[str, int]

_ON_ALL: Final = frozenset({"SCRIPT", "FLUSHALL", "KEYS"})
_ON_ANY: Final = frozenset({"PING", "INFO", "TIME", "CONFIG", "ROLE", "WAIT", "CLUSTER"})


def places_of(url: str) -> list[Place]:
    """Read the nodes of ``redis+cluster://user:password@host:6379,host:6379``.

    Raises:
        ValueError: it names none.
    """
    found: list[Place] = []
    for text in urlsplit(url).netloc.rpartition("@")[2].split(","):
        host, _, port = text.rpartition(":")
        if text:
            found.append((host, int(port)) if host else (text, PORT))
    if not found:
        raise ValueError("write redis+cluster://host:6379,host:6379")
    return found


class ClusterConnections:
    """Exchanges commands for replies with the nodes of a cluster; see `Connections`."""

    def __init__(self, url: str, options: dict[str, Any], *, patience_s: float) -> None:
        """Take the cluster's address.

        Args:
            url: see `places_of`.
            options: of every connection.
            patience_s: how long a caller waits for a free connection to a node.
        """
        parts = urlsplit(url)
        user, _, password = parts.netloc.rpartition("@")[0].partition(":")
        own: dict[str, Any] = {
            "username": unquote(user) or None,
            "password": unquote(password) or None,
        }
        self._options: dict[str, Any] = options | own
        if parts.scheme.startswith("rediss"):
            self._options["connection_class"] = SSLConnection
        self._known = places_of(url)
        self._patience_s = patience_s
        self._nodes: dict[Place, Connections] = {}
        self._slots: list[Place] = []
        self._owner: list[Place] = []
        """Whom a node named as owner of what has moved: it knows before others hear of it."""
        self._reading = asyncio.Lock()

    async def exchange(self, commands: Sequence[Sequence[Argument]]) -> list[Reply]:
        """See Connections."""
        if not self._slots:
            await self._read_slots()
        try:
            return await self._exchange(commands)
        except MovedError as error:
            self._slots, self._owner = [], _named_by(error)
            raise TryAgainError("slots have moved") from error
        except (RedisConnectionError, OSError, TimeoutError):
            self._slots = []
            raise

    async def aclose(self) -> None:
        """See Connections."""
        for node in self._nodes.values():
            await node.aclose()

    async def _exchange(self, commands: Sequence[Sequence[Argument]]) -> list[Reply]:
        if len(commands) == 1 and _name(commands[0]) in _ON_ALL:
            return [await self._on_all(commands[0])]
        by_place: dict[Place, list[int]] = {}
        for number, command in enumerate(commands):
            by_place.setdefault(self._place(command), []).append(number)
        replies: list[Reply] = [None] * len(commands)

        async def ask(place: Place, numbers: list[int]) -> None:
            asked = [commands[number] for number in numbers]
            for number, reply in zip(numbers, await self._asked(place, asked), strict=True):
                replies[number] = reply

        if len(by_place) == 1:
            await ask(*next(iter(by_place.items())))
            return replies
        done = await asyncio.gather(
            *(ask(*one) for one in by_place.items()), return_exceptions=True
        )
        failures = [error for error in done if isinstance(error, BaseException)]
        if failures:
            raise next((e for e in failures if not isinstance(e, ResponseError)), failures[0])
        return replies

    async def _asked(self, place: Place, commands: list[Sequence[Argument]]) -> list[Reply]:
        """Ask one node; a key that is moving right now is asked for where it goes to."""
        try:
            return await self._node(place).exchange(commands)
        except MovedError:
            raise
        except AskError as error:
            if len(commands) > 1:
                return [(await self._asked(place, [command]))[0] for command in commands]
            untyped: Any = error
            target = self._node((str(untyped.host), int(untyped.port)))
            return (await target.exchange([("ASKING",), commands[0]]))[1:]

    async def _on_all(self, command: Sequence[Argument]) -> Reply:
        places = list(dict.fromkeys(self._slots))
        replies = [(await self._node(place).exchange([command]))[0] for place in places]
        if _name(command) == "KEYS":
            return [key for reply in replies for key in reply]
        return replies[0]

    async def nodes(self) -> list[Connections]:
        """Return the primaries, for what is looked for on each of them."""
        if not self._slots:
            await self._read_slots()
        return [self._node(place) for place in dict.fromkeys(self._slots)]

    def _place(self, command: Sequence[Argument]) -> Place:
        key = key_of(command)
        return self._slots[0] if key is None else self._slots[key_slot(key.encode())]

    def _node(self, place: Place) -> Connections:
        node = self._nodes.get(place)
        if node is None:
            pool = ConnectionPool(host=place[0], port=place[1], **self._options)
            node = self._nodes[place] = Connections(pool, patience_s=self._patience_s)
        return node

    async def _read_slots(self) -> None:
        async with self._reading:
            if self._slots:
                return
            failure: Exception = RedisConnectionError("no node of the cluster answers")
            for place in list(dict.fromkeys((*self._owner, *self._known, *self._nodes))):
                try:
                    (ranges,) = await self._node(place).exchange([("CLUSTER", "SLOTS")])
                except (RedisConnectionError, OSError, TimeoutError) as error:
                    failure = error
                    continue
                self._slots = _spread(ranges, place)
                return
            raise failure


def _named_by(error: MovedError) -> list[Place]:
    untyped: Any = error
    return [(str(untyped.host), int(untyped.port))] if untyped.host else []


def _spread(ranges: Iterable[Any], asked: Place) -> list[Place]:
    """Write the primary of each slot into a list.

    Raises:
        TryAgainError: some slots have none now.
    """
    slots: list[Place | None] = [None] * 16_384
    for first, last, (host, port, *_), *_ in ranges:
        place = (host.decode() or asked[0], int(port))
        slots[int(first) : int(last) + 1] = [place] * (int(last) - int(first) + 1)
    found = [place for place in slots if place is not None]
    if len(found) < len(slots):
        raise TryAgainError("some slots of the cluster have no node")
    return found


def key_of(command: Sequence[Argument]) -> str | None:
    """Return the key by which a command finds its node; None where any node will do.

    Raises:
        TypeError: the command is not one that this host sends to a cluster.
    """
    name = _name(command)
    if name in _ON_ANY:
        return None
    if name in {"EVALSHA", "EVAL"}:
        return str(command[3]) if int(command[2]) else None
    if name == "SCAN":
        return _tag(str(command[command.index("MATCH") + 1]))
    if name == "XREAD":
        return str(command[command.index("STREAMS") + 1])
    at = 2 if name == "XGROUP" else 1
    if len(command) <= at:
        raise TypeError(f"{name} names no key")
    return str(command[at])


def _tag(pattern: str) -> str:
    """Return what all keys of a pattern share.

    Raises:
        TypeError: they lie on several nodes; see `RedisClient.scan`.
    """
    tag = pattern.partition("{")[2].partition("}")[0]
    if not tag or "*" in tag:
        raise TypeError(f"the keys of {pattern} lie on several nodes")
    return f"{{{tag}}}"


def _name(command: Sequence[Argument]) -> str:
    return str(command[0]).upper()
