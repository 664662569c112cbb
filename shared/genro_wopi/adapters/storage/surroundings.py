"""What back ends may use of this machine, and how they refuse a configuration."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import msgspec

from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.storage.records import Records
from genro_wopi.adapters.storage.watched import StorageObserver, Unobserved
from genro_wopi.domain.errors import FieldError, InvalidFieldsError
from genro_wopi.domain.leases import Leases
from genro_wopi.domain.paths import RESERVED_SEGMENT
from genro_wopi.domain.secrets import Secret, SecretRing
from genro_wopi.domain.storages import Storage


class StorageSurroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What back ends may use of this machine and of the cluster."""

    local_roots: tuple[Path, ...]
    ring: SecretRing
    egress: EgressPolicy
    leases: Leases
    observer: StorageObserver = Unobserved()

    def records(self, storage: Storage) -> Records:
        """Return how the records of a storage are read."""
        protocol = storage.protocol
        return Records(storage.owner, lambda kind: self.observer.bad_record(protocol, kind))

    def secret(self, storage: Storage, field: str) -> Secret | None:
        """Open a secret field of a storage; None where it has none."""
        sealed = storage.sealed.get(field)
        return self.ring.open(sealed, context=storage.seal_context(field)) if sealed else None


RESERVED_PROBLEM: Final = (
    f"leave out {RESERVED_SEGMENT!r}: it is where the host keeps what belongs to a storage"
)


def has_reserved(segments: Iterable[str]) -> bool:
    """Tell whether a place would lie in a storage's own folder; encoded as it may be."""
    return any(s.casefold() == RESERVED_SEGMENT for name in segments for s in _decoded(name))


def require_place(field: str, place: str) -> None:
    """Check a path within a server or a bucket, below which a storage is to lie.

    Raises:
        InvalidFieldsError: it leads elsewhere, or into a storage's own folder.
    """
    segments = place.strip("/").split("/")
    if has_reserved(segments):
        raise invalid(field, RESERVED_PROBLEM)
    if any(s in {".", ".."} for name in segments for s in _decoded(name)):
        raise invalid(field, "leave out '.' and '..'")


def _decoded(name: str) -> tuple[str, ...]:
    once = unquote(name)
    return (name, *re.split(r"[/\\]", once), *re.split(r"[/\\]", unquote(once)))


def invalid(field: str, problem: str) -> InvalidFieldsError:
    """Refuse one field of a storage's `config`."""
    return InvalidFieldsError((FieldError(f"config.{field}", problem),))
