"""One wopi-service in the tests' own process, over a real Redis and a folder."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
from httpx import ASGITransport, AsyncClient
from litestar.types import ASGIApp

from genro_wopi.adapters.new_keys import new_encryption_key, new_signing_key, verify_keys
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.adapters.redis.timeline import RedisTimeline
from genro_wopi.adapters.tokens import JwtSigner, signer
from genro_wopi.domain.access_tokens import AccessClaims
from genro_wopi.domain.identifiers import TenantId
from genro_wopi.domain.sessions import Session
from genro_wopi.domain.storages import Storage, StorageProtocol
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.runtime.setting_loading import load_settings
from genro_wopi.runtime.settings import Service
from genro_wopi.web.server import Readiness
from genro_wopi.wopi_service.app import build_service, create_app
from genro_wopi.wopi_service.service import WopiService
from tests.support.world import TENANT, World


@dataclass
class Wopi:
    """The service and how to call it."""

    http: AsyncClient
    session: Session
    service: WopiService
    redis: RedisClient
    world: World
    folder: Path
    """Where the tenant's files lie."""
    signer: JwtSigner

    @property
    def path(self) -> str:
        return f"/wopi/files/{self.session.file_id}"

    @property
    def token(self) -> str:
        return self.token_of(self.session)

    def token_with(self, **changes: str) -> str:
        """Make a token of the session whose claims are changed."""
        claims = msgspec.structs.replace(self.claims_of(self.session), **changes)
        return self.signer.sign(claims).reveal()

    def token_of(self, session: Session) -> str:
        return self.signer.sign(self.claims_of(session)).reveal()

    def claims_of(self, session: Session) -> AccessClaims:
        return AccessClaims(
            session_id=session.session_id,
            file_id=session.file_id,
            tenant_id=session.tenant_id,
            editor="",
            editor_kind=session.kind,
            can_edit=session.can_edit,
            user=session.user,
            expires_us=session.created_us + 3_600_000_000,
        )


def client_of(app: ASGIApp) -> AsyncClient:
    """Return a client that calls an application in this process."""
    transport = ASGITransport(app)  # pyright: ignore[reportArgumentType] - litestar's own types
    return AsyncClient(verify=False, transport=transport, base_url="http://wopi")


async def wopi_in_process(
    stack: AsyncExitStack, redis: RedisClient, redis_url: str, folder: Path, **changes: str
) -> Wopi:
    """Start the service and make a session on a file; what is open closes with the stack.

    Args:
        stack: closes what is open.
        redis: as the service reaches it.
        redis_url: the same, for the settings.
        folder: for the tenant's files and the spool.
        changes: further settings of the service, by variable.
    """
    signing_keys = new_signing_key()
    common = {
        "WOPI_REDIS_URL": redis_url,
        "WOPI_PUBLIC_URL": "http://wopi",
        "WOPI_ENCRYPTION_KEYS": new_encryption_key(),
        "WOPI_INTERNAL_TOKEN": "x" * 32,
        "WOPI_EVENT_PARTITIONS": "4",
    }
    own = {
        "WOPI_VERIFY_KEYS": verify_keys(signing_keys),
        "WOPI_LOCAL_ROOTS": str(folder),
        "WOPI_SPOOL_DIR": str(folder / "spool"),
        "WOPI_SESSION_SERVICE_URL": "http://session-service",
    }
    settings = load_settings({**common, **own, **changes}, Service.WOPI)
    private = load_settings({**common, "WOPI_SIGNING_KEYS": signing_keys}, Service.SESSION)
    world, files = World(redis), folder / "files"
    files.mkdir()
    (files / "a.txt").write_bytes(b"hello")
    await world.tenant()
    await put_storage(redis, TENANT, files)
    session = await world.session(await world.file(), kind=EditorKind.GENERIC)
    service = build_service(settings, redis, Readiness(), stack, RedisTimeline(redis))
    http = await stack.enter_async_context(client_of(create_app(service, redis)))
    return Wopi(http, session, service, redis, world, files, signer(private.signing_keys))


async def put_storage(redis: RedisClient, tenant_id: TenantId, base_path: Path) -> None:
    """Register a folder as a tenant's storage ``docs``."""
    await RedisTenantStore(redis).put_storage(
        Storage(
            tenant_id=tenant_id,
            name="docs",
            protocol=StorageProtocol.LOCAL,
            config={"base_path": str(base_path)},
            sealed={},
            revision=1,
            created_us=1,
            updated_us=1,
        )
    )
