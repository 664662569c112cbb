"""Opens configured storages and keeps them open, by tenant, name and revision.

A new back end is one module beside this one and one line in `BUILDERS`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.storage.local import LocalStorage
from genro_wopi.adapters.storage.s3 import S3Storage
from genro_wopi.adapters.storage.s3_client import S3Settings
from genro_wopi.domain.errors import FieldError, InvalidFieldsError
from genro_wopi.domain.secrets import SecretRing
from genro_wopi.domain.storages import Storage, StorageBackend, StorageProtocol

OPEN_MAX: Final = 256
"""Storages that one process keeps open; the one unused for longest is closed first."""


class StorageSurroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What back ends may use of this machine."""

    local_roots: tuple[Path, ...]
    ring: SecretRing
    egress: EgressPolicy


class CachingStorageOpener:
    """Implements `StorageOpener`."""

    def __init__(self, surroundings: StorageSurroundings) -> None:
        self._surroundings = surroundings
        self._open: OrderedDict[tuple[str, str, int], StorageBackend] = OrderedDict()
        self._lock = asyncio.Lock()

    async def open(self, storage: Storage) -> StorageBackend:
        """See StorageOpener."""
        key = (storage.tenant_id, storage.name, storage.revision)
        backend = self._open.get(key)
        if backend is not None:
            self._open.move_to_end(key)
            return backend
        async with self._lock:
            if key not in self._open:
                build = BUILDERS[storage.protocol]
                self._open[key] = await build(storage, self._surroundings)
                if len(self._open) > OPEN_MAX:
                    _, oldest = self._open.popitem(last=False)
                    await oldest.aclose()
        return self._open[key]

    async def aclose(self) -> None:
        """Close every storage."""
        while self._open:
            _, backend = self._open.popitem()
            await backend.aclose()


async def _build_local(storage: Storage, surroundings: StorageSurroundings) -> StorageBackend:
    base_path = Path(str(storage.config.get("base_path", "")))
    resolved = await asyncio.to_thread(_allowed_folder, base_path, surroundings.local_roots)
    return LocalStorage(resolved)


def _allowed_folder(base_path: Path, roots: tuple[Path, ...]) -> Path:
    if not base_path.is_absolute():
        raise _invalid("base_path", "use an absolute path")
    resolved = base_path.resolve()
    if resolved == Path("/") or not any(resolved.is_relative_to(r.resolve()) for r in roots):
        raise _invalid("base_path", "it must lie inside one of WOPI_LOCAL_ROOTS")
    try:
        resolved.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _invalid("base_path", f"it cannot be used: {error.strerror}") from error
    return resolved


async def _build_s3(storage: Storage, surroundings: StorageSurroundings) -> StorageBackend:
    config = storage.config
    endpoint_url = str(config["endpoint_url"]) if config.get("endpoint_url") else None
    if endpoint_url is not None:
        await surroundings.egress.check_url(endpoint_url, field="endpoint_url")
    sealed = storage.sealed.get("secret_access_key")
    context = f"{storage.tenant_id}/storage/{storage.name}/secret_access_key"
    settings = S3Settings(
        bucket=str(config["bucket"]),
        prefix=_prefix(str(config.get("prefix") or "")),
        endpoint_url=endpoint_url,
        region=str(config.get("region") or "us-east-1"),
        path_style=bool(config.get("path_style", endpoint_url is not None)),
        access_key_id=str(config["access_key_id"]) if config.get("access_key_id") else None,
        secret_access_key=surroundings.ring.open(sealed, context=context) if sealed else None,
    )
    return await S3Storage.connect(settings, storage.probe)


def _prefix(value: str) -> str:
    return f"{value.strip('/')}/" if value.strip("/") else ""


def _invalid(field: str, problem: str) -> InvalidFieldsError:
    return InvalidFieldsError((FieldError(f"config.{field}", problem),))


BUILDERS: Final[
    dict[StorageProtocol, Callable[[Storage, StorageSurroundings], Awaitable[StorageBackend]]]
] = {
    StorageProtocol.LOCAL: _build_local,
    StorageProtocol.S3: _build_s3,
}
