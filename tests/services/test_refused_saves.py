"""A body that was received whole and is refused, whyever, is kept, announced and bounded."""

from typing import Any

import msgspec
import pytest

from genro_wopi.adapters.redis.keys import FileKeys
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.domain import rescues
from genro_wopi.domain.files import FileRecord
from genro_wopi.domain.identifiers import SessionId, new_session_id, tenant_name
from genro_wopi.domain.rescues import Rescue
from genro_wopi.domain.sessions import Session, SessionState
from genro_wopi.domain.tenants import Tenant
from genro_wopi.protocol.check_file_info import EditorKind
from genro_wopi.wopi_service.operations import put_file
from tests.scripts.test_session_ends import told
from tests.services.test_late_saves import answer_to, ask
from tests.support.in_process import Wopi
from tests.support.world import TENANT


async def file_of(wopi: Wopi) -> FileRecord:
    record = await wopi.world.registry.record(wopi.session.file_id)
    assert record is not None
    return record


async def person(wopi: Wopi, *, edit: bool = True, ttl_ms: int = 600_000) -> Session:
    """Let somebody join who knows the document."""
    session = await wopi.world.session(
        await file_of(wopi), edit=edit, ttl_ms=ttl_ms, kind=EditorKind.ONLYOFFICE
    )
    query = {"access_token": wopi.token_of(session)}
    for suffix in ("", "/contents"):
        assert (await wopi.http.get(wopi.path + suffix, params=query)).status_code == 200
    return session


async def ended(wopi: Wopi, session: Session, state: SessionState) -> None:
    """End a session, or let it expire, so long ago that its grace is over."""
    if state is not SessionState.EXPIRED:
        await wopi.world.sessions.end(session.session_id, state)
    key = FileKeys(session.file_id).session(session.session_id)
    await wopi.redis.call("HSET", key, "ends_us", 1, "expires_us", 1)


async def copies(wopi: Wopi) -> list[tuple[Rescue, bytes]]:
    """Return the recovery copies, the oldest first, with their bytes."""
    store = wopi.service.host.rescues
    found: list[tuple[Rescue, bytes]] = []
    for rescue_id, _ in await store.list_ids(TENANT, after="", limit=1000):
        rescue = await store.get(TENANT, rescue_id)
        assert rescue is not None
        kept = wopi.folder / ".genro-wopi" / "recovery" / rescue_id
        found.append((rescue, kept.read_bytes()))
    return sorted(found, key=lambda pair: pair[0].rescued_us)


async def announced(wopi: Wopi) -> list[str]:
    return [session for name, session in await told(wopi.world) if name == "save_rescued"]


async def is_locked(wopi: Wopi) -> bool:
    return await wopi.world.locks.state(wopi.session.file_id) is not None


async def only_copy(wopi: Wopi, session: Session, body: bytes) -> None:
    """See that one body was kept, listed and announced for a session."""
    kept = await copies(wopi)
    assert [(rescue.session_id, bytes_) for rescue, bytes_ in kept] == [(session.session_id, body)]
    assert kept[0][0].sha256
    assert await announced(wopi) == [session.session_id]


ENDS = pytest.mark.parametrize(
    "state", [SessionState.REVOKED, SessionState.DRAINING, SessionState.EXPIRED]
)


@ENDS
async def test_what_an_ended_session_typed_is_kept(wopi: Wopi, state: SessionState) -> None:
    anna = await person(wopi)
    token = wopi.token_of(anna)
    assert await ask(wopi, token, "LOCK") == 200
    assert await ask(wopi, token, "UNLOCK") == 200
    await ended(wopi, anna, state)
    assert await ask(wopi, token, "PUT", b"typed") == 401
    await only_copy(wopi, anna, b"typed")
    assert (wopi.folder / "a.txt").read_bytes() == b"hello"


async def test_what_a_revoked_one_typed_is_kept_and_its_lock_released(wopi: Wopi) -> None:
    anna = await person(wopi)
    token = wopi.token_of(anna)
    assert await ask(wopi, token, "LOCK") == 200
    await ended(wopi, anna, SessionState.REVOKED)
    assert await ask(wopi, token, "PUT", b"typed") == 401
    await only_copy(wopi, anna, b"typed")
    assert not await is_locked(wopi)


async def test_the_lock_stays_for_others_who_type(wopi: Wopi) -> None:
    anna, ben = await person(wopi), await person(wopi)
    assert await ask(wopi, wopi.token_of(anna), "LOCK") == 200
    assert await ask(wopi, wopi.token_of(ben), "LOCK") == 200
    await ended(wopi, anna, SessionState.REVOKED)
    assert await ask(wopi, wopi.token_of(anna), "PUT", b"typed") == 401
    assert await is_locked(wopi)
    assert await ask(wopi, wopi.token_of(ben), "PUT", b"typed on") == 200


async def test_what_a_reader_sends_is_kept(wopi: Wopi) -> None:
    reader = await person(wopi, edit=False)
    assert await ask(wopi, wopi.token_of(reader), "PUT", b"typed") == 401
    await only_copy(wopi, reader, b"typed")


async def test_a_session_that_nothing_is_known_of_is_kept_too(wopi: Wopi) -> None:
    anna = await person(wopi)
    await wopi.redis.call("DEL", FileKeys(anna.file_id).session(anna.session_id))
    assert await ask(wopi, wopi.token_of(anna), "PUT", b"typed") == 401
    await only_copy(wopi, anna, b"typed")


async def test_a_suspended_tenant_s_text_is_kept(wopi: Wopi) -> None:
    anna = await person(wopi)
    assert await ask(wopi, wopi.token_of(anna), "LOCK") == 200
    store = RedisTenantStore(wopi.redis)
    tenant = await store.get_tenant(tenant_name(TENANT))
    assert isinstance(tenant, Tenant)
    await store.put_tenant(msgspec.structs.replace(tenant, active=False))
    directory: Any = wopi.service.host.directory
    directory._tenants.forget(TENANT)
    assert await ask(wopi, wopi.token_of(anna), "PUT", b"typed") == 404
    await only_copy(wopi, anna, b"typed")
    assert not await is_locked(wopi)


async def test_a_deleted_file_s_text_is_kept(wopi: Wopi) -> None:
    anna = await person(wopi)
    assert await ask(wopi, wopi.token_of(anna), "DELETE") == 200
    assert await ask(wopi, wopi.token_of(anna), "PUT", b"typed") == 404
    await only_copy(wopi, anna, b"typed")


async def test_a_lock_that_is_none_loses_no_text(wopi: Wopi) -> None:
    anna = await person(wopi)
    headers = {"X-WOPI-Override": "PUT", "X-WOPI-Lock": "x" * 2000}
    query = {"access_token": wopi.token_of(anna)}
    url = f"{wopi.path}/contents"
    answer = await wopi.http.post(url, params=query, headers=headers, content=b"typed")
    assert answer.status_code == 400
    await only_copy(wopi, anna, b"typed")


@pytest.mark.parametrize("token", ["", "x.y.z", "forged"])
async def test_a_bad_token_stores_nothing(wopi: Wopi, token: str) -> None:
    if token == "forged":
        token = wopi.token[:-4] + "AAAA"
    assert await ask(wopi, token, "PUT", b"typed") == 401
    assert await copies(wopi) == []


async def test_the_token_of_another_file_stores_nothing(wopi: Wopi) -> None:
    (wopi.folder / "b.txt").write_bytes(b"")
    other = await wopi.world.file("b.txt")
    token = wopi.token_with(file_id=other.file_id)
    assert await ask(wopi, token, "PUT", b"typed") == 401
    assert await copies(wopi) == []


async def test_the_same_bytes_are_kept_and_announced_once(wopi: Wopi) -> None:
    anna = await person(wopi)
    await ended(wopi, anna, SessionState.REVOKED)
    for _ in range(3):
        assert await ask(wopi, wopi.token_of(anna), "PUT", b"typed") == 401
    await only_copy(wopi, anna, b"typed")


async def test_of_one_session_the_newest_copies_are_kept(
    wopi: Wopi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genro_wopi.adapters.redis.rescue_store.SESSION_COPIES_MAX", 3)
    monkeypatch.setattr("genro_wopi.adapters.redis.rescue_store.SESSION_BYTES_MAX", 25)
    anna = await person(wopi)
    await ended(wopi, anna, SessionState.REVOKED)
    bodies = [b"typed %d" % number for number in range(6)]
    for body in bodies:
        assert await ask(wopi, wopi.token_of(anna), "PUT", body) == 401
    assert [body for _, body in await copies(wopi)] == bodies[-3:]
    longest = b"longer than all that a session may keep"
    assert await ask(wopi, wopi.token_of(anna), "PUT", longest) == 401
    assert [body for _, body in await copies(wopi)] == [longest]
    assert len(list((wopi.folder / ".genro-wopi" / "recovery").iterdir())) == 2, "with its note"


async def test_a_tenant_keeps_no_more_than_it_may(
    wopi: Wopi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genro_wopi.adapters.redis.rescue_store.TENANT_COPIES_MAX", 2)
    people = [await person(wopi) for _ in range(3)]
    for number, session in enumerate(people):
        await ended(wopi, session, SessionState.REVOKED)
        answer = await answer_to(wopi, wopi.token_of(session), "PUT", b"typed %d" % number)
        assert answer.status_code == 401
    assert [body for _, body in await copies(wopi)] == [b"typed 0", b"typed 1"]
    first = (await copies(wopi))[0][0]
    await wopi.service.host.rescues.forget(first)
    assert await ask(wopi, wopi.token_of(people[2]), "PUT", b"typed 2") == 401
    assert [body for _, body in await copies(wopi)] == [b"typed 1", b"typed 2"]


async def test_conflicts_of_living_sessions_are_not_counted(wopi: Wopi) -> None:
    assert rescues.SESSION_COPIES_MAX < 15
    anna, ben = await person(wopi), await person(wopi)
    assert await ask(wopi, wopi.token_of(anna), "LOCK") == 200
    for number in range(15):
        headers = {"X-WOPI-Override": "PUT", "X-WOPI-Lock": "other"}
        query = {"access_token": wopi.token_of(ben)}
        url = f"{wopi.path}/contents"
        body = b"typed %d" % number
        assert (
            await wopi.http.post(url, params=query, headers=headers, content=body)
        ).status_code == 409
    assert len(await copies(wopi)) == 15


async def test_a_traded_session_whose_parent_ended_loses_no_text(wopi: Wopi) -> None:
    await wopi.world.sessions.end(wopi.session.session_id, SessionState.REVOKED)
    token = wopi.token_with(
        session_id=new_session_id(wopi.session.file_id), parent=SessionId(wopi.session.session_id)
    )
    assert await ask(wopi, token, "PUT", b"typed") == 401
    assert [body for _, body in await copies(wopi)] == [b"typed"]


async def test_where_a_folder_took_the_place_of_the_file_its_text_is_kept(
    wopi: Wopi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(put_file, "SAVE_PATIENCE_S", 1.0)
    anna = await person(wopi)
    assert await ask(wopi, wopi.token_of(anna), "LOCK") == 200
    (wopi.folder / "a.txt").unlink()
    (wopi.folder / "a.txt").mkdir()
    assert await ask(wopi, wopi.token_of(anna), "PUT", b"typed") == 404
    await only_copy(wopi, anna, b"typed")
