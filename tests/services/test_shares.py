"""One tenant's share of what all have: activities are refused beyond it, saves and locks never."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.domain.access_tokens import Grant
from genro_wopi.domain.identifiers import TenantId, new_session_id
from genro_wopi.domain.sessions import SessionOptions
from genro_wopi.protocol.check_file_info import EditorKind
from tests.services.test_metrics import value
from tests.support.in_process import Wopi, put_storage, wopi_in_process
from tests.support.waiting import eventually
from tests.support.world import TENANT

BUDGET = 2**20
SPOOL_BYTES = 2**24
SESSIONS = 10
OTHER = TenantId("other.5eed0456")


@pytest.fixture
async def wopi(redis: RedisClient, redis_url: str, tmp_path: Path) -> AsyncGenerator[Wopi]:
    async with AsyncExitStack() as stack:
        changes = {
            "WOPI_ACTIVITY_BYTES_PER_MINUTE": str(BUDGET),
            "WOPI_SPOOL_BYTES_MAX": str(SPOOL_BYTES),
            "WOPI_SESSIONS_MAX": str(SESSIONS),
        }
        yield await wopi_in_process(stack, redis, redis_url, tmp_path, **changes)


def activities(count: int, *, data_bytes: int = 10, kind: str = "WopiComment") -> bytes:
    one: dict[str, Any] = {"Type": kind, "Data": {"text": "x" * data_bytes}}
    return json.dumps(
        {"Activities": [one | {"Id": uuid.uuid4().hex} for _ in range(count)]}
    ).encode()


async def ask(
    wopi: Wopi, token: str, override: str, body: bytes | AsyncIterator[bytes] = b"", **more: str
) -> httpx.Response:
    headers = {"X-WOPI-Override": override, **{k.replace("_", "-"): v for k, v in more.items()}}
    path = f"{wopi.path}/contents" if override == "PUT" else wopi.path
    query = {"access_token": token}
    return await wopi.http.post(path, params=query, headers=headers, content=body)


async def viewer_of(wopi: Wopi, tenant_id: TenantId | None = None) -> tuple[str, str]:
    """Return the path of a file, and a token of a session that only sees it."""
    file = await wopi.world.file(tenant_id=tenant_id) if tenant_id else await wopi.world.file()
    session = await wopi.world.session(file, edit=False)
    claims = msgspec.structs.replace(wopi.claims_of(session), can_edit=False)
    return f"/wopi/files/{file.file_id}", wopi.signer.sign(claims).reveal()


@pytest.mark.parametrize(
    ("count", "data_bytes"), [(1, 200_000), (100, 10)], ids=["few large ones", "many small ones"]
)
async def test_a_viewer_writes_no_more_events_than_its_tenants_share(
    wopi: Wopi, count: int, data_bytes: int
) -> None:
    _, token = await viewer_of(wopi)
    before, refused = value("wopi_over_share_total", share="activities"), 0
    used = await used_bytes(wopi)
    for _ in range(60):
        answer = await ask(wopi, token, "ADD_ACTIVITIES", activities(count, data_bytes=data_bytes))
        if answer.status_code == 429:
            refused += 1
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert "activities" in answer.text
        else:
            assert answer.status_code == 200, answer.text
    assert refused > 40
    assert value("wopi_over_share_total", share="activities") == before + refused
    assert await used_bytes(wopi) - used < 2 * BUDGET


async def test_saves_and_locks_of_the_same_tenant_go_on(wopi: Wopi) -> None:
    await use_up(wopi)
    assert (await ask(wopi, wopi.token, "LOCK", X_WOPI_Lock="L")).status_code == 200
    assert (await ask(wopi, wopi.token, "PUT", b"typed", X_WOPI_Lock="L")).status_code == 200
    assert (await ask(wopi, wopi.token, "REFRESH_LOCK", X_WOPI_Lock="L")).status_code == 200
    assert (await ask(wopi, wopi.token, "UNLOCK", X_WOPI_Lock="L")).status_code == 200


async def test_another_tenants_activities_go_on_and_unsupported_ones_cost_nothing(
    wopi: Wopi, tmp_path: Path
) -> None:
    await wopi.world.tenant(OTHER)
    await put_storage(wopi.redis, OTHER, tmp_path / "files")
    await use_up(wopi)
    path, token = await viewer_of(wopi, OTHER)
    headers = {"X-WOPI-Override": "ADD_ACTIVITIES"}
    answer = await wopi.http.post(
        path, params={"access_token": token}, headers=headers, content=activities(100)
    )
    assert answer.status_code == 200, answer.text
    unsupported = await ask(wopi, wopi.token, "ADD_ACTIVITIES", activities(100, kind="Other"))
    assert unsupported.status_code == 200


@pytest.mark.parametrize("override", ["PUT", "PUT_RELATIVE"])
async def test_bodies_of_one_tenant_leave_room_in_the_spool_for_another(
    wopi: Wopi, tmp_path: Path, override: str
) -> None:
    await wopi.world.tenant(OTHER)
    await put_storage(wopi.redis, OTHER, tmp_path / "files")
    over = asyncio.Event()

    victim = await wopi.world.session(await wopi.world.file(tenant_id=OTHER))
    theirs = msgspec.structs.replace(wopi.claims_of(victim), tenant_id=OTHER)
    theirs_path, their_token = f"/wopi/files/{victim.file_id}", wopi.signer.sign(theirs).reveal()
    save = {"X-WOPI-Override": "PUT", "X-WOPI-Lock": "L"}
    query = {"access_token": their_token}
    locked = await wopi.http.post(
        theirs_path, params=query, headers={**save, "X-WOPI-Override": "LOCK"}
    )
    assert locked.status_code == 200, locked.text
    assert (await ask(wopi, wopi.token, "LOCK", X_WOPI_Lock="L")).status_code == 200
    over = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(16):
            yield bytes(2**18)
        await over.wait()

    before = value("wopi_over_share_total", share="spool")
    more = {"X_WOPI_Lock": "L", "X_WOPI_SuggestedTarget": ".txt"}
    greedy = [
        asyncio.create_task(ask(wopi, wopi.token, override, slow(), **more)) for _ in range(12)
    ]

    async def refused() -> list[int]:
        return [task.result().status_code for task in greedy if task.done()]

    statuses = await eventually(refused, lambda done: len(done) > 3)
    assert set(statuses) == {507}
    assert value("wopi_over_share_total", share="spool") >= before + 4
    stored = await wopi.http.post(
        f"{theirs_path}/contents", params=query, headers=save, content=bytes(7 * 2**19)
    )
    assert stored.status_code == 200, stored.text
    over.set()
    await asyncio.gather(*greedy)


@pytest.mark.parametrize("work", ["PUT", "LOCK"])
async def test_a_traded_session_beyond_the_share_begins_for_a_save_or_lock_only(
    wopi: Wopi, work: str
) -> None:
    file = await wopi.world.file()
    options = SessionOptions(containers=True)
    parent = await wopi.world.session(file, kind=EditorKind.GENERIC, options=options)
    while len(await wopi.world.sessions.list_ids(TENANT, after="", limit=100)) < SESSIONS:
        await wopi.world.session(file)
    before = value("wopi_over_share_total", share="open sessions")
    wopi.session = parent
    changes = {"session_id": new_session_id(file.file_id), "parent": parent.session_id}
    token = wopi.token_with(grant=Grant.LISTED, **changes)
    query = {"access_token": token}
    for path in (wopi.path, f"{wopi.path}/contents"):
        refused = await wopi.http.get(path, params=query)
        assert refused.status_code == 429
        assert "WOPI_SESSIONS_MAX" in refused.text
    assert value("wopi_over_share_total", share="open sessions") == before + 2
    (wopi.folder / "a.txt").write_bytes(b"")
    answer = await ask(wopi, token, work, b"typed", X_WOPI_Lock="" if work == "PUT" else "L")
    assert answer.status_code == 200, answer.text
    assert (await wopi.http.get(wopi.path, params=query)).status_code == 200


async def use_up(wopi: Wopi) -> None:
    """Announce until nothing more is let through."""
    for _ in range(BUDGET // 100_000 + 1):
        answer = await ask(wopi, wopi.token, "ADD_ACTIVITIES", activities(100))
        if answer.status_code == 429:
            return
    pytest.fail("more was let through than the budget")


async def used_bytes(wopi: Wopi) -> int:
    info = (await wopi.redis.call("INFO", "memory")).decode()
    return int(info.partition("used_memory:")[2].split()[0])
