"""Whether Redis keeps what it is given."""

import re
from typing import Final

from genro_wopi.domain.doctor import Level, RedisFacts, RedisWitness
from genro_wopi.domain.errors import UnavailableError
from genro_wopi.gateway.operations.doctor.case import Case

VERSION_MIN: Final = (6, 2)
LATENCY_MS_MAX: Final = 10.0
CLOCK_MS_MAX: Final = 1000.0
HASH_VALUE_BYTES: Final = 1024
"""What a session decides and what its events say are shorter but where texts are long."""

MEMORY_SHARE_MAX: Final = 0.8

_FIXED: Final[dict[str, dict[tuple[int, int], int]]] = {
    "redis": {(6, 2): 20, (7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2},
    "valkey": {(7, 2): 11, (8, 0): 6, (8, 1): 4},
}
"""The patch of each branch that mends CVE-2025-49844; branches that are newer have it."""


async def examine_redis(case: Case, witness: RedisWitness) -> None:
    """Ask Redis about itself."""
    try:
        facts = await witness.facts()
    except UnavailableError as error:
        case.look(
            "redis.answers",
            is_well=False,
            what=str(error),
            remedy="Start Redis, or set WOPI_REDIS_URL to where it is.",
        )
        return
    case.look("redis.answers", is_well=True, what="", remedy="")
    _version(case, facts)
    _keeping(case, facts)
    share = facts.used_bytes / facts.max_bytes if facts.max_bytes else 0.0
    case.look(
        "redis.memory",
        is_well=share < MEMORY_SHARE_MAX,
        what=f"{share:.0%} of maxmemory is used.",
        remedy=f"redis-cli CONFIG SET maxmemory {facts.max_bytes * 2} (and in redis.conf)",
    )
    case.look(
        "host.unsettled",
        is_well=not facts.unsettled_saves,
        what=f"{facts.unsettled_saves} saves wait in wopi-services until they can be stored.",
        remedy="Look which storage does not answer (storage.answers, wopi_unsettled_saves); keep"
        " the disks of WOPI_SPOOL_DIR.",
    )
    case.look(
        "redis.primary",
        is_well=facts.is_primary,
        what="This Redis is a replica.",
        remedy="Set WOPI_REDIS_URL to the primary.",
    )
    case.look(
        "redis.latency",
        is_well=facts.latency_ms < LATENCY_MS_MAX,
        what=f"A round trip takes {facts.latency_ms:.1f} ms.",
        remedy="Run Redis near the services, on a machine that is not overloaded.",
        level=Level.WARNING,
    )
    case.look(
        "redis.clock",
        is_well=abs(facts.clock_ahead_ms) < CLOCK_MS_MAX,
        what=f"The clock of Redis differs from ours by {facts.clock_ahead_ms / 1000:+.1f} s.",
        remedy="Synchronise both clocks (timedatectl set-ntp true).",
    )


def _version(case: Case, facts: RedisFacts) -> None:
    numbers = tuple(int(n) for n in re.findall(r"\d+", facts.version)[:3])
    shown = f"{facts.name} {facts.version}"
    if not case.look(
        "redis.version",
        is_well=numbers[:2] >= VERSION_MIN,
        what=f"This is {shown}.",
        remedy="Install Redis 6.2 or Valkey, or newer.",
    ):
        return
    fixed = _FIXED[facts.name]
    branch = (numbers[0], numbers[1])
    is_known = branch in fixed or branch > max(fixed)
    patch = numbers[2] if len(numbers) > 2 else 0  # noqa: PLR2004 - major, minor, patch
    case.look(
        "redis.security",
        is_well=branch > max(fixed) or (branch in fixed and patch >= fixed[branch]),
        what=f"{shown} is from before CVE-2025-49844 was mended upstream.",
        remedy="Install the newest patch of a branch that is maintained; some distributions mend"
        " older ones themselves.",
        level=Level.WARNING if is_known else Level.NOTE,
    )


def _keeping(case: Case, facts: RedisFacts) -> None:
    case.look(
        "redis.persistence",
        is_well=facts.is_persistent is not False,
        what="The append-only file is off.",
        remedy="redis-cli CONFIG SET appendonly yes (and `appendonly yes` in redis.conf)",
    )
    case.look(
        "redis.fsync",
        is_well=facts.fsync != "no",
        what="The append-only file is never flushed to the disk by Redis itself.",
        remedy="redis-cli CONFIG SET appendfsync everysec (and in redis.conf)",
    )
    case.look(
        "redis.eviction",
        is_well=facts.eviction in {None, "noeviction"},
        what=f"maxmemory-policy is {facts.eviction}.",
        remedy="redis-cli CONFIG SET maxmemory-policy noeviction (and in redis.conf)",
    )
    case.look(
        "redis.hashes",
        is_well=facts.hash_value_bytes is None or facts.hash_value_bytes >= HASH_VALUE_BYTES,
        what=f"Hashes with values above {facts.hash_value_bytes} bytes are kept as tables.",
        remedy=f"redis-cli CONFIG SET hash-max-listpack-value {HASH_VALUE_BYTES} (and in"
        " redis.conf; before Redis 7 hash-max-ziplist-value)",
        level=Level.NOTE,
    )
