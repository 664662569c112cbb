"""One wopi-service in this process over a real Redis and a folder, and a session on a file."""

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.adapters.tokens import signer
from genro_wopi.dev.cluster import new_encryption_key, new_signing_key, verify_keys
from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.sessions import Session
from genro_wopi.domain.storages import Storage, StorageProtocol
from genro_wopi.domain.tenants import AuthMethod, Tenant, WopiMode
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.runtime.settings import Service, load_settings
from genro_wopi.web.server import Readiness
from genro_wopi.wopi_service.app import build_service, create_app
from genro_wopi.wopi_service.service import WopiService
from tests.support.world import TENANT, World


@dataclass
class Wopi:
    """The service and how to call it."""

    http: AsyncClient
    token: str
    session: Session
    service: WopiService
    redis: RedisClient

    @property
    def path(self) -> str:
        return f"/wopi/files/{self.session.file_id}"


@pytest.fixture
async def wopi(redis: RedisClient, redis_url: str, tmp_path: Path) -> AsyncGenerator[Wopi]:
    signing_keys = new_signing_key()
    settings = load_settings(
        {
            "WOPI_REDIS_URL": redis_url,
            "WOPI_PUBLIC_URL": "http://wopi",
            "WOPI_ENCRYPTION_KEYS": new_encryption_key(),
            "WOPI_VERIFY_KEYS": verify_keys(signing_keys),
            "WOPI_LOCAL_ROOTS": str(tmp_path),
            "WOPI_SPOOL_DIR": str(tmp_path / "spool"),
            "WOPI_EVENT_PARTITIONS": "4",
            "WOPI_SESSION_SERVICE_URL": "http://session-service",
            "WOPI_INTERNAL_TOKEN": "x" * 32,
        },
        Service.WOPI,
    )
    world = World(redis)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_bytes(b"hello")
    await _configure(redis, tmp_path / "files")
    session = await world.session(await world.file(), kind=EditorKind.GENERIC)
    raw = load_settings(
        {**os.environ, **_session_settings(redis_url, signing_keys)}, Service.SESSION
    ).signing_keys
    token = signer(raw).sign(
        AccessClaims(
            session_id=session.session_id,
            file_id=session.file_id,
            tenant_id=TENANT,
            editor="",
            can_edit=True,
            user="Anna",
            expires_us=session.created_us + 3_600_000_000,
        )
    )
    async with AsyncExitStack() as stack:
        service = build_service(settings, redis, Readiness(), stack)
        app = create_app(service, redis)
        transport = ASGITransport(app)  # pyright: ignore[reportArgumentType] - litestar's own types
        http = await stack.enter_async_context(
            AsyncClient(transport=transport, base_url="http://wopi")
        )
        yield Wopi(http, token.reveal(), session, service, redis)


def _session_settings(redis_url: str, signing_keys: str) -> dict[str, str]:
    return {
        "WOPI_REDIS_URL": redis_url,
        "WOPI_PUBLIC_URL": "http://wopi",
        "WOPI_ENCRYPTION_KEYS": new_encryption_key(),
        "WOPI_SIGNING_KEYS": signing_keys,
        "WOPI_INTERNAL_TOKEN": "x" * 32,
    }


async def _configure(redis: RedisClient, base_path: Path) -> None:
    store = RedisTenantStore(redis)
    await store.put_tenant(
        Tenant(
            tenant_id=TENANT,
            name="Acme",
            active=True,
            wopi_mode=WopiMode.POOL,
            client_base_url=None,
            client_callback_path="/",
            auth_method=AuthMethod.NONE,
            auth_user=None,
            auth_secret=None,
            webhook_secrets=(),
            frame_ancestors=(),
            revision=1,
            created_us=1,
            updated_us=1,
        )
    )
    await store.put_storage(
        Storage(
            tenant_id=TENANT,
            name="docs",
            protocol=StorageProtocol.LOCAL,
            config={"base_path": str(base_path)},
            sealed={},
            revision=1,
            created_us=1,
            updated_us=1,
        )
    )
