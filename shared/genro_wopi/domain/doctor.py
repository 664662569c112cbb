"""A host that explains itself: what is wrong, why it matters, and the line that mends it."""

from enum import StrEnum
from typing import Final, Protocol

import msgspec

from genro_wopi.domain.tenants import Tenant


class Level(StrEnum):
    """How bad a finding is."""

    PROBLEM = "problem"
    """Documents do not open, or saves are in danger."""
    WARNING = "warning"
    """It works, and will not always."""
    NOTE = "note"
    """Worth knowing; nothing is wrong."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it should be."""

    check: str
    level: Level
    subject: str
    """Which tenant, storage or editor; empty for the installation."""
    what: str
    why: str
    """Why it matters."""
    remedy: str
    """What to change, as it is written."""


class RedisFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What Redis says of itself; None where it does not tell (managed servers, ACL)."""

    name: str
    """``redis`` or ``valkey``."""
    version: str
    is_persistent: bool | None
    fsync: str | None
    eviction: str | None
    hash_value_bytes: int | None
    """Longest value of a hash that is kept compactly."""
    used_bytes: int
    max_bytes: int
    """0 for no limit."""
    is_primary: bool
    latency_ms: float
    """Median of some round trips."""
    clock_ahead_ms: float
    """Its clock minus ours."""
    unsettled_saves: int = 0
    """How many saves wait in all wopi-services until they can be stored."""


class RedisWitness(Protocol):
    """Asks Redis about itself."""

    async def facts(self) -> RedisFacts:
        """Return what it says.

        Raises:
            UnavailableError: it does not answer.
        """
        ...


class UnreachedError(Exception):
    """Nothing usable came back; the message says why."""


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to a probe."""

    status: int
    headers: dict[str, str]
    """Lower-case names."""
    body: bytes
    certificate_ends_us: int | None
    """When the certificate ends; None without TLS."""


class Prober(Protocol):
    """Sends requests as another program would; redirects are not followed."""

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        chunked: bool = False,
    ) -> Reached:
        """Send one request.

        Raises:
            UnreachedError: refused, unreachable, too slow.
        """
        ...

    async def announce(self, url: str, *, size_bytes: int) -> int | None:
        """Begin to send a body of that size, and see whether it is refused.

        Returns:
            the status that came before the body, None where the other side waits for it.

        Raises:
            UnreachedError: it cannot be reached.
        """
        ...


class CallbackTester(Protocol):
    """Calls a tenant's application as its callbacks do."""

    async def ping(self, tenant: Tenant) -> int:
        """Send a ``ping``, signed and authorized like an event; return the status.

        Raises:
            UnreachedError: refused, unreachable, too slow.
            UnreadableSecretError: what it is signed with cannot be decrypted.
        """
        ...


ECHO_PATH: Final = "/wopi/doctor"
"""Where a wopi-service tells how a request reached it; for the doctor only."""


class Echo(msgspec.Struct, frozen=True, kw_only=True):
    """How a request reached a wopi-service."""

    pass_code: str
    path: str
    """As it was sent, escapes included."""
    query: str
    lock: str | None
    """X-WOPI-Lock; None where it is missing, empty where it came empty."""
    body_bytes: int


ECHO_BODY_BYTES_MAX: Final = 2 * 1024 * 1024
