"""Any token, file and operation over two tenants: nothing of another is seen or changed."""

import asyncio
import itertools
import tempfile
from collections.abc import Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genro_wopi.adapters.redis.client import RedisClient, connect
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.domain.identifiers import SessionId, TenantId
from genro_wopi.domain.sessions import Session
from genro_wopi.protocol.headers import ContainerOverride, Override
from tests.support.in_process import Wopi, put_storage, wopi_in_process
from tests.support.world import TENANT

OTHER = TenantId("other")
File = tuple[TenantId, str]
FILES: tuple[File, ...] = ((TENANT, "a.txt"), (TENANT, "b.txt"), (OTHER, "a.txt"), (OTHER, "b.txt"))
SECRET: dict[File, bytes] = {file: f"words of {file[0]}/{file[1]}".encode() for file in FILES}

OPERATIONS: tuple[tuple[str, str, str], ...] = (
    *((method, suffix, "") for method, suffix in (("GET", ""), ("GET", "/contents"))),
    *(("GET", suffix, "") for suffix in ("/ancestry", "/ecosystem_pointer", "/children")),
    ("POST", "/contents", "PUT"),
    *(("POST", "", name) for name in sorted({o.value for o in (*Override, *ContainerOverride)})),
)
HEADERS = {
    "X-WOPI-Lock": "intruder",
    "X-WOPI-SuggestedTarget": "new.txt",
    "X-WOPI-RequestedName": "renamed",
    "X-WOPI-UrlType": "ReadOnly",
}


@dataclass
class Two:
    """Two tenants with two files each, and a session on every file."""

    runner: asyncio.Runner
    wopi: Wopi
    redis: RedisClient
    sessions: dict[File, Session]
    folders: dict[TenantId, Path]

    def ask(self, method: str, path: str, token: str, override: str) -> httpx.Response:
        headers = {**HEADERS, **({"X-WOPI-Override": override} if override else {})}
        return self.runner.run(
            self.wopi.http.request(
                method,
                path,
                params={"access_token": token},
                headers=headers,
                content=b"intruder" if method == "POST" else None,
            )
        )

    def state(self) -> dict[str, Any]:
        """Return everything that must stay as it is."""
        files = {
            f"{tenant_id}/{path.relative_to(folder)}": path.read_bytes()
            for tenant_id, folder in self.folders.items()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

        async def locks() -> list[Any]:
            keys = [FileKeys(s.file_id).lock for s in self.sessions.values()]
            return [await self.redis.call("HGET", key, "lock") for key in keys]

        return {"files": files, "locks": self.runner.run(locks())}


@pytest.fixture(scope="module")
def two(redis_url: str) -> Generator[Two]:
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as name:
        stack = AsyncExitStack()

        async def start() -> Two:
            redis = await stack.enter_async_context(connect(redis_url))
            await redis.call("FLUSHALL")
            wopi = await wopi_in_process(stack, redis, redis_url, Path(name))
            folders = {TENANT: wopi.folder, OTHER: Path(name) / "other"}
            folders[OTHER].mkdir()
            await put_storage(redis, OTHER, folders[OTHER])
            sessions: dict[File, Session] = {}
            for tenant_id, path in FILES:
                (folders[tenant_id] / path).write_bytes(SECRET[tenant_id, path])
                file = await wopi.world.file(path, seen=False, tenant_id=tenant_id)
                sessions[tenant_id, path] = await wopi.world.session(file)
            return Two(runner, wopi, redis, sessions, folders)

        yield runner.run(start())
        runner.run(stack.aclose())


FOREIGN = [pair for pair in itertools.product(FILES, FILES) if pair[0] != pair[1]]


@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_a_token_opens_its_own_file_only(two: Two, operation: tuple[str, str, str]) -> None:
    method, suffix, override = operation
    before = two.state()
    for mine, theirs in FOREIGN:
        token = two.wopi.token_of(two.sessions[mine])
        file_id = two.sessions[theirs].file_id
        for place in ("files", "containers"):
            answer = two.ask(method, f"/wopi/{place}/{file_id}{suffix}", token, override)
            assert answer.status_code in {401, 404, 501}, (mine, theirs, answer.text)
            assert SECRET[theirs] not in answer.content
    assert two.state() == before


@dataclass(frozen=True)
class Mixed:
    """Whose parts a token names."""

    session: File
    file: File
    tenant: File
    parent: File | None
    operation: tuple[str, str, str]


NAMED: st.SearchStrategy[File] = st.sampled_from(FILES)
MIXED = st.builds(
    Mixed,
    session=NAMED,
    file=NAMED,
    tenant=NAMED,
    parent=st.one_of(st.none(), NAMED),
    operation=st.sampled_from(OPERATIONS),
)


def is_foreign(mixed: Mixed) -> bool:
    """Tell whether nothing that a token names allows what it asks for."""
    may_trade = mixed.parent is not None and mixed.parent[0] == mixed.file[0]
    return mixed.session != mixed.file and not may_trade


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mixed=MIXED.filter(is_foreign))
def test_a_signed_token_of_mixed_parts_opens_nothing_of_another(two: Two, mixed: Mixed) -> None:
    """Suppose that a signer errs: Redis still knows whose session and whose file it is."""
    claims = msgspec.structs.replace(
        two.wopi.claims_of(two.sessions[mixed.file]),
        session_id=two.sessions[mixed.session].session_id,
        tenant_id=mixed.tenant[0],
        parent=two.sessions[mixed.parent].session_id if mixed.parent else SessionId(""),
    )
    before = two.state()
    method, suffix, override = mixed.operation
    token = two.wopi.signer.sign(claims).reveal()
    answer = two.ask(method, f"/wopi/files/{claims.file_id}{suffix}", token, override)
    assert SECRET[mixed.file] not in answer.content
    assert two.state() == before
