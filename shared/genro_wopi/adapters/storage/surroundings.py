"""What back ends may use of this machine, and how they refuse a configuration."""

from pathlib import Path

import msgspec

from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.storage.watched import StorageObserver, Unobserved
from genro_wopi.domain.errors import FieldError, InvalidFieldsError
from genro_wopi.domain.leases import Leases
from genro_wopi.domain.secrets import Secret, SecretRing
from genro_wopi.domain.storages import Storage


class StorageSurroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What back ends may use of this machine and of the cluster."""

    local_roots: tuple[Path, ...]
    ring: SecretRing
    egress: EgressPolicy
    leases: Leases
    observer: StorageObserver = Unobserved()

    def secret(self, storage: Storage, field: str) -> Secret | None:
        """Open a secret field of a storage; None where it has none."""
        sealed = storage.sealed.get(field)
        return self.ring.open(sealed, context=storage.seal_context(field)) if sealed else None


def invalid(field: str, problem: str) -> InvalidFieldsError:
    """Refuse one field of a storage's `config`."""
    return InvalidFieldsError((FieldError(f"config.{field}", problem),))
