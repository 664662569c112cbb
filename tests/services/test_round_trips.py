"""How many times each operation asks Redis: once, and at most three times for a save."""

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.adapters.tokens import signer
from genro_wopi.dev.cluster import new_encryption_key, new_signing_key, verify_keys
from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.storages import Storage, StorageProtocol
from genro_wopi.domain.tenants import AuthMethod, Tenant, WopiMode
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.runtime.settings import Service, load_settings
from genro_wopi.web.server import Readiness
from genro_wopi.wopi_service.app import build_service, create_app
from tests.support.world import TENANT, World


@pytest.fixture
async def wopi(
    redis: RedisClient, redis_url: str, tmp_path: Path
) -> AsyncGenerator[tuple[AsyncClient, str, RedisClient]]:
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
        app = create_app(build_service(settings, redis, Readiness(), stack), redis)
        transport = ASGITransport(app)  # pyright: ignore[reportArgumentType] - litestar's own types
        http = await stack.enter_async_context(
            AsyncClient(transport=transport, base_url="http://wopi")
        )
        yield http, f"/wopi/files/{session.file_id}|{token.reveal()}", redis


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


async def test_round_trips_are_counted(wopi: tuple[AsyncClient, str, RedisClient]) -> None:
    http, target, redis = wopi
    path, token = target.split("|")

    async def cost(method: str, suffix: str, headers: dict[str, str], body: bytes = b"") -> int:
        before = redis.round_trips
        answer = await http.request(
            method,
            path + suffix,
            params={"access_token": token},
            headers=headers,
            content=body or None,
        )
        assert answer.status_code == 200, answer.text
        return redis.round_trips - before

    await cost("GET", "", {})  # configuration and head are read once
    lock = {"X-WOPI-Lock": "L"}
    costs = {
        "CheckFileInfo": await cost("GET", "", {}),
        "GetFile": await cost("GET", "/contents", {}),
        "LOCK": await cost("POST", "", {"X-WOPI-Override": "LOCK", **lock}),
        "GET_LOCK": await cost("POST", "", {"X-WOPI-Override": "GET_LOCK"}),
        "REFRESH_LOCK": await cost("POST", "", {"X-WOPI-Override": "REFRESH_LOCK", **lock}),
        "PutFile": await cost("POST", "/contents", {"X-WOPI-Override": "PUT", **lock}, b"more"),
        "UnlockAndRelock": await cost(
            "POST", "", {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "M", "X-WOPI-OldLock": "L"}
        ),
        "UNLOCK": await cost("POST", "", {"X-WOPI-Override": "UNLOCK", "X-WOPI-Lock": "M"}),
    }
    assert costs.pop("PutFile") <= 3
    assert set(costs.values()) == {1}, costs
