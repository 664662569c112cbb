"""A file that was opened with a traded token belongs to the editor's server that traded it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.datastructures import State

from genro_wopi.adapters.new_keys import new_encryption_key
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.instance_store import RedisInstanceStore
from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.adapters.redis.timeline import RedisTimeline
from genro_wopi.domain.identifiers import new_session_id
from genro_wopi.domain.sessions import EditorRef, SessionOptions, SessionState, editor_digest
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.runtime.setting_loading import load_settings
from genro_wopi.runtime.settings import Service
from genro_wopi.session_service.operations.desk import Desk
from genro_wopi.session_service.routes import SessionService, trade
from genro_wopi.web.health import health_routes
from genro_wopi.web.server import Readiness, serve
from tests.support.in_process import Wopi, wopi_in_process
from tests.support.servers import free_port
from tests.support.waiting import eventually

ONE, TWO = (editor_digest(EditorRef("", "office", EditorKind.ONLYOFFICE), n) for n in ("a", "b"))
TRADES = pytest.mark.parametrize("way", ["PutRelativeFile", "GetNewAccessToken"])


@pytest.fixture
async def wopi(redis: RedisClient, redis_url: str, tmp_path: Path) -> AsyncGenerator[Wopi]:
    """Return the service with a session-service beside it."""
    port, stopping = free_port(), asyncio.Event()
    url = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        changes = {"WOPI_SESSION_SERVICE_URL": url}
        wopi = await wopi_in_process(stack, redis, redis_url, tmp_path, **changes)
        serving = asyncio.create_task(_session_service(wopi, redis_url, port, stopping))
        trader: Any = wopi.service.host.trader
        try:
            await eventually(trader.ready, bool)
            yield wopi
        finally:
            stopping.set()
            await serving


async def _session_service(wopi: Wopi, redis_url: str, port: int, stopping: asyncio.Event) -> None:
    host, readiness = wopi.service.host, Readiness()
    tenants = RedisTenantStore(wopi.redis)
    verifier: Any = host.tokens
    desk = Desk(
        instances=RedisInstanceStore(wopi.redis),
        sessions=host.sessions,
        registry=host.registry,
        tenants=tenants,
        directory=host.directory,
        storages=host.storages,
        editors=host.editors,
        signer=wopi.signer,
        verifier=verifier,
        ring=host.ring,
        timeline=RedisTimeline(wopi.redis),
        clock=host.clock,
        budgets=host.budgets,
        public_url=host.public_url,
        src_url=host.src_url,
    )
    service = SessionService(
        desk=desk, internal_token=wopi.service.internal_token, readiness=readiness
    )
    settings = load_settings(
        {
            "WOPI_REDIS_URL": redis_url,
            "WOPI_PUBLIC_URL": host.public_url,
            "WOPI_INTERNAL_TOKEN": wopi.service.internal_token.reveal(),
            "WOPI_SESSION_SERVICE_URL": f"http://127.0.0.1:{port}",
            "WOPI_ENCRYPTION_KEYS": new_encryption_key(),
            "WOPI_ADMIN_TOKEN": "x" * 32,
            "WOPI_PORT": str(port),
            "WOPI_DRAIN_SECONDS": "0",
        },
        Service.GATEWAY,
    )
    app = Litestar(
        [trade, *health_routes(readiness, _always)],
        state=State({"sessions": service}),
        openapi_config=None,
        logging_config=None,
    )
    await serve(app, settings, readiness, stopping)


async def _always() -> dict[str, str]:
    return {}


async def token_at(wopi: Wopi, address: str, path: str = "a.txt") -> str:
    """Return the token of a new session that was given to one server of an editor."""
    file = await wopi.world.file(path, seen=False)
    drawn = await wopi.world.session(file)
    session = msgspec.structs.replace(
        drawn,
        session_id=new_session_id(file.file_id),
        editor=EditorRef("", "office", EditorKind.ONLYOFFICE, is_unsigned=True),
        options=SessionOptions(containers=True),
    )
    await wopi.world.sessions.create(session, file, ends_us=session.created_us + 3_600_000_000)
    claims = msgspec.structs.replace(
        wopi.claims_of(session), address=address, editor_kind="onlyoffice"
    )
    return wopi.signer.sign(claims).reveal()


async def ask(wopi: Wopi, token: str, override: str, **headers: str) -> Any:
    file_id = wopi.service.host.tokens.verify(token).file_id
    return await wopi.http.post(
        f"/wopi/files/{file_id}" + ("/contents" if override == "PUT" else ""),
        params={"access_token": token},
        headers={
            "X-WOPI-Override": override,
            "X-WOPI-Lock": "the same",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
        content=headers.get("X_Body", "").encode() or None,
    )


async def traded(wopi: Wopi, token: str, way: str) -> str:
    """Trade a token for one of the file ``b.txt``."""
    if way == "PutRelativeFile":
        answer = await ask(
            wopi, token, "PUT_RELATIVE", X_WOPI_RelativeTarget="b.txt", X_Body="copy"
        )
        return str(answer.json()["Url"]).partition("access_token=")[2]
    (wopi.folder / "b.txt").write_bytes(b"copy")
    record = await wopi.world.file("b.txt", seen=False)
    answer = await wopi.http.post(
        "/wopi/ecosystem",
        params={"access_token": token},
        headers={
            "X-WOPI-EcosystemOperation": "GET_NEW_ACCESS_TOKEN",
            "X-WOPI-WopiSrc": f"{wopi.service.host.src_url}/wopi/files/{record.file_id}",
        },
    )
    return str(answer.json()["AccessTokenInfo"]["AccessToken"])


@TRADES
async def test_the_same_lock_of_another_server_is_another_lock(wopi: Wopi, way: str) -> None:
    mine = await traded(wopi, await token_at(wopi, ONE), way)
    assert (await ask(wopi, mine, "LOCK")).status_code == 200
    theirs = await token_at(wopi, TWO, "b.txt")
    for override in ("LOCK", "REFRESH_LOCK", "PUT", "UNLOCK"):
        answer = await ask(wopi, theirs, override, X_Body="in vain")
        assert answer.status_code == 409, override
    assert (await ask(wopi, mine, "UNLOCK")).status_code == 200


@TRADES
async def test_whose_answer_was_lost_does_not_put_others_of_the_server_in_conflict(
    wopi: Wopi, way: str
) -> None:
    mine = await traded(wopi, await token_at(wopi, ONE), way)
    others = await token_at(wopi, ONE, "b.txt")
    url = f"/wopi/files/{wopi.service.host.tokens.verify(mine).file_id}"
    info = (await wopi.http.get(url, params={"access_token": mine})).json()
    assert (await ask(wopi, mine, "LOCK")).status_code == 200
    assert (await ask(wopi, others, "LOCK")).status_code == 200
    stamp = {"X_LOOL_WOPI_Timestamp": info["LastModifiedTime"]}
    await wopi.http.get(f"{url}/contents", params={"access_token": mine})
    for number, token in enumerate((mine, others)):
        moment = {"X_WOPI_TimeStamp": str(10 + number)}
        answer = await ask(wopi, token, "PUT", X_Body=f"typed {number}", **stamp, **moment)
        assert answer.status_code == 200, "the answer to the first one was lost"


@pytest.mark.parametrize("end", ["closed", "expired under its lock"])
async def test_who_may_only_save_any_more_is_not_told_that_its_token_counts_no_more(
    wopi: Wopi, end: str
) -> None:
    token = await token_at(wopi, ONE)
    claims = wopi.service.host.tokens.verify(token)
    assert (await ask(wopi, token, "LOCK")).status_code == 200
    if end == "closed":
        await wopi.world.sessions.end(claims.session_id, SessionState.DRAINING)
    else:
        key = FileKeys(claims.file_id).session(claims.session_id)
        await wopi.redis.call("HSET", key, "ends_us", 1, "expires_us", 1)
    answer = await ask(wopi, token, "PUT_RELATIVE", X_WOPI_SuggestedTarget="b.txt", X_Body="copy")
    assert answer.status_code == 501, "at a 401 the editor throws the token away"
    assert (await ask(wopi, token, "PUT", X_Body="typed")).status_code == 200
