"""A tenant with files and sessions, made through the real stores."""

import time
from dataclasses import dataclass, field

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.file_registry import RedisFileRegistry
from genro_wopi.adapters.redis.lock_store import RedisLockStore
from genro_wopi.adapters.redis.partitions import Partitions
from genro_wopi.adapters.redis.save_ledger import RedisSaveLedger
from genro_wopi.adapters.redis.session_store import RedisSessionStore
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.domain.editors import Editor, ProofPolicy
from genro_wopi.domain.files import FileRecord, Head
from genro_wopi.domain.identifiers import TenantId, new_session_id
from genro_wopi.domain.locks import LockRequest
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.sessions import EditorRef, Permission, Session, SessionOptions
from genro_wopi.domain.tenants import AuthMethod, Tenant, WopiMode
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.protocol.lock_id import LockId

TENANT = TenantId("acme.5eed0123")
PARTITIONS = 4
DEADLINE_S = 0.0


def foreign_head(fingerprint: str = "etag-1", *, modified_us: int = 1_000) -> Head:
    return Head(fingerprint=fingerprint, size_bytes=5, modified_us=modified_us, evidence=None)


def partitions(redis: RedisClient) -> Partitions:
    return Partitions(redis, PARTITIONS)


def an_editor(
    url: str,
    *,
    scope: str = "",
    name: str = "office",
    kind: EditorKind = EditorKind.GENERIC,
    priority: int = 0,
    addresses: tuple[str, ...] = (),
) -> Editor:
    """Return the record of an editor that signs nothing."""
    return Editor(
        scope=scope,
        name=name,
        kind=kind,
        url=url,
        discovery_url=f"{url}/hosting/discovery",
        proof=ProofPolicy.OFF,
        priority=priority,
        extensions=(),
        revision=1,
        created_us=1,
        updated_us=1,
        addresses=addresses,
    )


@dataclass
class World:
    """The stores over one Redis, and short ways to use them."""

    redis: RedisClient
    lock_ttl_ms: int = 60_000
    locks: RedisLockStore = field(init=False)
    sessions: RedisSessionStore = field(init=False)
    registry: RedisFileRegistry = field(init=False)
    ledger: RedisSaveLedger = field(init=False)

    def __post_init__(self) -> None:
        self.locks = RedisLockStore(self.redis, lock_ttl_ms=self.lock_ttl_ms)
        self.sessions = RedisSessionStore(self.redis)
        self.registry = RedisFileRegistry(self.redis, partitions(self.redis))
        self.ledger = RedisSaveLedger(self.redis, self.registry, lock_ttl_ms=self.lock_ttl_ms)

    async def tenant(self, tenant_id: TenantId = TENANT, *, created_us: int = 1) -> None:
        await RedisTenantStore(self.redis).put_tenant(
            Tenant(
                tenant_id=tenant_id,
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
                created_us=created_us,
                updated_us=created_us,
            )
        )

    async def file(
        self, path: str = "a.txt", *, seen: bool = True, tenant_id: TenantId = TENANT
    ) -> FileRecord:
        record = await self.registry.register(tenant_id, "docs", StoragePath(path))
        if seen:
            await self.registry.observe(record.file_id, foreign_head())
        return record

    async def session(
        self,
        file: FileRecord,
        *,
        edit: bool = True,
        ttl_ms: int = 600_000,
        kind: EditorKind = EditorKind.COLLABORA,
        options: SessionOptions = SessionOptions(),  # noqa: B008 - it is frozen
    ) -> Session:
        now_us = time.time_ns() // 1000
        session = Session(
            session_id=new_session_id(file.file_id),
            file_id=file.file_id,
            tenant_id=file.tenant_id,
            storage_name="docs",
            file_path=file.path,
            permissions=(Permission.VIEW, *((Permission.EDIT,) if edit else ())),
            account="sales",
            user="Anna",
            user_id="",
            editor=EditorRef("", "editor", kind),
            created_us=now_us,
            ttl_ms=ttl_ms,
            options=options,
        )
        await self.sessions.create(session, file, ends_us=now_us + 3_600_000_000)
        return session

    def lock(self, session: Session, lock: str, *, request_id: str = "r") -> LockRequest:
        return LockRequest(
            file_id=session.file_id,
            session_id=session.session_id,
            lock_id=LockId(lock),
            request_id=request_id,
            attempt=0,
            can_edit=session.can_edit,
            holder=session.user,
        )
