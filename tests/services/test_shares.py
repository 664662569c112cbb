"""One tenant's share of what all have: activities are refused beyond it, saves and locks never."""

import json
import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.domain.identifiers import TenantId
from tests.services.test_metrics import value
from tests.support.in_process import Wopi, put_storage, wopi_in_process

BUDGET = 2**20
OTHER = TenantId("other.5eed0456")


@pytest.fixture
async def wopi(redis: RedisClient, redis_url: str, tmp_path: Path) -> AsyncGenerator[Wopi]:
    async with AsyncExitStack() as stack:
        changes = {"WOPI_ACTIVITY_BYTES_PER_MINUTE": str(BUDGET)}
        yield await wopi_in_process(stack, redis, redis_url, tmp_path, **changes)


def activities(count: int, *, data_bytes: int = 10, kind: str = "WopiComment") -> bytes:
    one: dict[str, Any] = {"Type": kind, "Data": {"text": "x" * data_bytes}}
    return json.dumps(
        {"Activities": [one | {"Id": uuid.uuid4().hex} for _ in range(count)]}
    ).encode()


async def ask(
    wopi: Wopi, token: str, override: str, body: bytes = b"", **more: str
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
