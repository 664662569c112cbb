"""Connections by whom they trust: one pool for the machine's authorities, one for each tenant's."""

from collections import OrderedDict
from typing import Final

import httpcore

from genro_wopi.adapters.http.egress import GuardedNetwork
from genro_wopi.adapters.http.trust import trusting

CONNECTIONS_MAX: Final = 64
KEPT_S: Final = 20.0
POOLS_MAX: Final = 100
"""With certificates of tenants; the one that was used longest ago makes room."""


class TrustingPools:
    """Pools of guarded connections, by the certificates that they trust."""

    def __init__(self, network: GuardedNetwork) -> None:
        self._network = network
        self._plain: httpcore.AsyncConnectionPool | None = None
        self._own: OrderedDict[str, httpcore.AsyncConnectionPool] = OrderedDict()

    async def trusting(self, pem: str) -> httpcore.AsyncConnectionPool:
        """Return the pool that trusts the machine's authorities and these certificates.

        Raises:
            ValueError: it holds no certificate.
        """
        if not pem:
            if self._plain is None:  # The authorities take 30 ms to read.
                self._plain = self._opened("")
            return self._plain
        if pem not in self._own:
            self._own[pem] = self._opened(pem)
        self._own.move_to_end(pem)
        if len(self._own) > POOLS_MAX:
            _, oldest = self._own.popitem(last=False)
            await oldest.aclose()
        return self._own[pem]

    async def aclose(self) -> None:
        """Close connections."""
        for pool in (self._plain, *self._own.values()):
            if pool is not None:
                await pool.aclose()

    def _opened(self, pem: str) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(
            ssl_context=trusting(pem),
            network_backend=self._network,
            max_connections=CONNECTIONS_MAX,
            keepalive_expiry=KEPT_S,
        )
