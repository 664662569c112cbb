"""Who is on the cluster, and what each of them was given; made by the operator before a run."""

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from genro_wopi.management.catalog import OPERATIONS
from tests.hostile.canaries import Canaries
from tests.support.cluster import Application, Cluster

SCOPES = ("sessions", "files:read", "files:write", "storages", "editors", "audit:read")
CONTENT = "/api/storages/{}/files/content"

HOST_FILE = "host-secret.txt"
HAS_SCOPES = hasattr(OPERATIONS[0], "scope")


@dataclass
class Host:
    """What a run stands on."""

    cluster: Cluster
    canaries: Canaries
    admin: httpx.Client
    application: Application
    """Of those who attack nobody."""
    s3_url: str
    dav_url: str | None
    """None where there is no WebDAV server."""

    @property
    def files(self) -> Path:
        return self.cluster.data_dir / "files"

    @property
    def outside(self) -> Path:
        """A folder of the host that is nobody's storage."""
        return self.cluster.data_dir.parent / "outside"


@dataclass
class Tenant:
    """A tenant with a storage on each back end."""

    tenant_id: str
    key: str
    keys: dict[str, str] = field(default_factory=dict[str, str])
    """One key of each scope."""
    storages: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Configuration by name."""


def new_bucket(s3_url: str) -> str:
    """Make a bucket that nobody can guess."""
    name = f"b{uuid.uuid4().hex}"
    httpx.put(f"{s3_url}/{name}", headers=s3_headers()).raise_for_status()
    return name


def s3_headers() -> dict[str, str]:
    """Return what moto asks of whoever writes past the host."""
    return {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/s3/x"}


def put_tenant(host: Host, tenant_id: str, client_url: str) -> Tenant:
    """Register a tenant with a storage on each back end, and a key of each scope."""
    made = host.admin.post("/api/tenants", json={"id": tenant_id, "client_base_url": client_url})
    tenant = Tenant(tenant_id, str(made.raise_for_status().json()["api_key"]))
    for scope in SCOPES if HAS_SCOPES else ():
        wanted = {"scopes": [scope]}
        key = host.admin.post(f"/api/tenants/{tenant_id}/api-keys", json=wanted)
        tenant.keys[scope] = str(key.raise_for_status().json()["api_key"])
    for name, storage in _storages(host, tenant_id).items():
        wanted = {"tenant_id": tenant_id, "name": name, **storage}
        host.admin.post("/api/storages", json=wanted).raise_for_status()
        tenant.storages[name] = storage
    return tenant


def _storages(host: Host, tenant_id: str) -> dict[str, dict[str, Any]]:
    folder = host.files / tenant_id
    mounted = host.files / f"{tenant_id}-mount"
    for place in (folder, mounted):
        place.mkdir(parents=True, exist_ok=True)
    s3 = {
        "bucket": new_bucket(host.s3_url),
        "endpoint_url": host.s3_url,
        "path_style": True,
        "access_key_id": "AKIATEST",
        "secret_access_key": f"secret{uuid.uuid4().hex}",
    }
    found: dict[str, dict[str, Any]] = {
        "docs": {"protocol": "local", "config": {"base_path": str(folder)}},
        "bucket": {"protocol": "s3", "config": s3},
        "mount": {"protocol": "genro", "config": {"protocol": "local", "path": str(mounted)}},
    }
    if host.dav_url is not None:
        url = f"{host.dav_url}/{uuid.uuid4().hex}"
        httpx.request("MKCOL", url).raise_for_status()
        found["dav"] = {"protocol": "webdav", "config": {"url": url}}
    return found


def put_editor(host: Host, url: str) -> None:
    """Configure an editor for all, and read its discovery."""
    editor = {
        "name": "office",
        "kind": "collabora",
        "url": url,
        "proof": "off",
        "priority": 1000,
    }
    host.admin.post("/api/editors", json=editor).raise_for_status()
    host.admin.post("/api/editors/office/refresh").raise_for_status()


def hide(host: Host) -> None:
    """Lay out what of the host itself nobody may see."""
    host.outside.mkdir()
    content = host.canaries.draw("a file of the host")
    (host.outside / HOST_FILE).write_text(content)
    (host.outside / host.canaries.draw("a file's name of the host")).write_text(content)
    keys = json.loads((host.cluster.data_dir / "keys.json").read_text())
    for name, value in keys.items():
        if isinstance(value, str) and len(value) > 12:
            host.canaries.keep(value, f"the host's {name}")
    redis_url = (host.cluster.data_dir / "redis-url").read_text().strip()
    host.canaries.keep(redis_url, "the address of Redis")


def ghost(host: Host) -> Tenant:
    """Register a tenant whose name was another's, who left everything behind."""
    name = f"ghost{uuid.uuid4().hex[:6]}"
    gone = put_tenant(host, name, host.application.url)
    secret = host.admin.post(f"/api/tenants/{name}/webhook-secret").json()["webhook_secret"]
    host.application.secrets[name] = secret
    for storage in gone.storages:
        fill(host, gone, storage, "a deleted tenant's file")
    host.canaries.keep(gone.key, "a deleted tenant's key")
    host.admin.delete(f"/api/tenants/{name}", params={"cascade": "true"}).raise_for_status()
    made = host.admin.post("/api/tenants", json={"id": name}).raise_for_status().json()
    return Tenant(name, str(made["api_key"]), {}, gone.storages)


def fill(host: Host, tenant: Tenant, storage: str, what: str) -> None:
    """Leave a file, a version, a deleted file, a session and a recovery copy, all secret."""
    draw, api = host.canaries.draw, host.cluster.client(tenant.key)
    url = CONTENT.format(storage)
    with api:
        for path in ("told.txt", "told.txt", f"{draw(what + ', its name')}.txt", "gone.txt"):
            content = draw(what).encode()
            api.put(url, params={"path": path}, content=content).raise_for_status()
        api.delete(f"/api/storages/{storage}/files", params={"path": "gone.txt"})
        session = open_session(api, storage, "told.txt", account=draw(f"{what}, its account"))
        host.canaries.keep(str(session["access_token"]), f"{what}, its token")
        refuse_save(api, session, draw(f"{what}, a recovery copy").encode())


def open_session(
    http: httpx.Client, storage: str, path: str, *, edit: bool = True, **more: Any
) -> dict[str, Any]:
    """Open a session."""
    wanted = {
        "storage_name": storage,
        "file_path": path,
        "permissions": ["view", "edit"] if edit else ["view"],
        "account": "people",
        **more,
    }
    made = http.post("/api/sessions/create", json=wanted)
    return dict(made.raise_for_status().json())


def refuse_save(http: httpx.Client, session: dict[str, Any], body: bytes) -> None:
    """Have a save refused, so that it is kept as a recovery copy."""
    query = {"access_token": str(session["access_token"])}
    src = str(session["wopi_src"])
    lock = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "first"}
    http.post(src, params=query, headers=lock).raise_for_status()
    put = {"X-WOPI-Override": "PUT", "X-WOPI-Lock": "second"}
    refused = http.post(f"{src}/contents", params=query, headers=put, content=body)
    assert refused.status_code == 409, refused.text
    unlock = {"X-WOPI-Override": "UNLOCK", "X-WOPI-Lock": "first"}
    http.post(src, params=query, headers=unlock).raise_for_status()
