"""How every service opens its tenants' storages."""

from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.leases import RedisLeases
from genro_wopi.adapters.storage.opener import CachingStorageOpener
from genro_wopi.adapters.storage.surroundings import StorageSurroundings
from genro_wopi.domain.secrets import SecretRing
from genro_wopi.runtime.metrics import StorageMetrics
from genro_wopi.runtime.settings import Settings


def storage_opener(
    settings: Settings, redis: RedisClient, ring: SecretRing
) -> CachingStorageOpener:
    """Build what opens storages, with the limits of the settings; close it in the end."""
    return CachingStorageOpener(
        StorageSurroundings(
            local_roots=settings.local_roots,
            ring=ring,
            egress=EgressPolicy(settings.storage_allow, setting="WOPI_STORAGE_ALLOW"),
            leases=RedisLeases(redis),
            observer=StorageMetrics(),
        )
    )
