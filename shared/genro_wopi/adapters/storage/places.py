"""Names the place of a storage, so that two that overlap are seen to.

A folder of this machine is named by its real path: whoever has one has all of it. What is
elsewhere is named under the tenant's name: whether two tenants may use one bucket is its owner's
matter, while a name that is given again must not find what its earlier tenant kept there.
"""

import os
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from genro_wopi.domain.identifiers import tenant_name
from genro_wopi.domain.places import Place
from genro_wopi.domain.storages import Storage, StorageProtocol

_PORTS: Final = {"http": 80, "https": 443}


def place_of(storage: Storage, roots: tuple[Path, ...]) -> Place:
    """Name the place of a storage; blocking, since links on the way are followed."""
    config, name = storage.config, tenant_name(storage.tenant_id)
    folder = local_folder(storage)
    if folder is not None:
        real = Path(os.path.realpath(folder))
        own = any(real.is_relative_to(Path(os.path.realpath(root)) / name) for root in roots)
        return Place(name=f"local:{real}/".replace("//", "/"), is_own=own)
    if storage.protocol is StorageProtocol.S3:
        prefix = str(config.get("prefix") or "").strip("/")
        server = _server(str(config.get("endpoint_url") or "https://amazonaws.com"))
        where = f"{server}/{config.get('bucket')}/{prefix}"
    elif storage.protocol is StorageProtocol.WEBDAV:
        url = str(config.get("url", ""))
        where = f"{_server(url)}/{unquote(urlsplit(url).path).strip('/')}"
    else:
        parts = [f"{key}={value}" for key, value in sorted(config.items())]
        where = "/".join(part.replace("/", "%2F") for part in parts)
    return Place(name=f"{storage.protocol}:{name}:{where.rstrip('/')}/", is_own=True)


def local_folder(storage: Storage) -> str | None:
    """Return the folder of this machine in which a storage lies; None for one elsewhere."""
    base_path = storage.config.get("base_path", storage.config.get("path"))
    is_here = storage.protocol is StorageProtocol.LOCAL or (
        storage.protocol is StorageProtocol.GENRO and storage.config.get("protocol") == "local"
    )
    return base_path if is_here and isinstance(base_path, str) else None


def _server(url: str) -> str:
    """Name a server, however its address is written."""
    parts = urlsplit(url)
    try:
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        port = 0
    return f"{(parts.hostname or '').rstrip('.')}:{port}"
