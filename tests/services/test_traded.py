"""A token that was traded for another one begins a session of its own, while its parent lasts."""

from typing import Any

import msgspec
import pytest

from genro_wopi.domain.access_tokens import Grant
from genro_wopi.domain.identifiers import SessionId, new_session_id
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.sessions import SessionOptions, SessionState
from genro_wopi.protocol.check_file_info import EditorKind
from tests.support.in_process import Wopi

ONE_FILE = SessionOptions(can_write_relative=False)


@pytest.fixture
async def wopi(wopi: Wopi) -> Wopi:
    """Return the service with a session that reaches the folder of its file."""
    options = SessionOptions(containers=True)
    wopi.session = await wopi.world.session(
        await wopi.world.file(), kind=EditorKind.GENERIC, options=options
    )
    return wopi


async def traded(
    wopi: Wopi,
    path: str = "b.txt",
    *,
    parent: str | None = None,
    grant: Grant | None = Grant.LISTED,
) -> tuple[str, str]:
    """Return a token for another file, as GetNewAccessToken gives it, and its session's id."""
    (wopi.folder / path).parent.mkdir(exist_ok=True)
    (wopi.folder / path).write_bytes(b"beside")
    file = await wopi.world.file(path)
    claims = msgspec.structs.replace(
        wopi.claims_of(wopi.session),
        session_id=new_session_id(file.file_id),
        file_id=file.file_id,
        grant=grant,
        parent=SessionId(wopi.session.session_id if parent is None else parent),
    )
    return wopi.signer.sign(claims).reveal(), claims.session_id


async def status_of(wopi: Wopi, token: str, session_id: str) -> int:
    """Ask for the file of a token."""
    claims = wopi.service.host.tokens.verify(token)
    assert claims.session_id == session_id
    answer = await wopi.http.get(f"/wopi/files/{claims.file_id}", params={"access_token": token})
    return answer.status_code


async def test_it_begins_when_it_is_used_first(wopi: Wopi) -> None:
    token, session_id = await traded(wopi)
    assert await wopi.world.sessions.get(SessionId(session_id)) is None
    assert await status_of(wopi, token, session_id) == 200
    begun = await wopi.world.sessions.get(SessionId(session_id))
    assert begun is not None
    assert begun.session.parent == wopi.session.session_id
    assert await status_of(wopi, token, session_id) == 200


@pytest.mark.parametrize("state", [SessionState.DRAINING, SessionState.REVOKED])
async def test_of_a_parent_that_has_ended_none_begins(wopi: Wopi, state: SessionState) -> None:
    token, session_id = await traded(wopi)
    await wopi.world.sessions.end(wopi.session.session_id, state)
    assert await status_of(wopi, token, session_id) == 401
    assert await wopi.world.sessions.get(SessionId(session_id)) is None


async def test_of_a_parent_that_is_forgotten_none_begins(wopi: Wopi) -> None:
    token, session_id = await traded(wopi, parent=new_session_id(wopi.session.file_id))
    assert await status_of(wopi, token, session_id) == 401
    assert await wopi.world.sessions.get(SessionId(session_id)) is None


async def test_a_file_that_is_forgotten_is_not_opened(wopi: Wopi) -> None:
    token, session_id = await traded(wopi)
    claims = wopi.service.host.tokens.verify(token)
    await wopi.redis.call("DEL", f"wopi:{{{session_id[:2]}}}:file:{claims.file_id}")
    assert await status_of(wopi, token, session_id) == 401
    assert await wopi.world.sessions.get(SessionId(session_id)) is None


async def test_what_lies_outside_of_the_parent_s_folder_is_not_opened(wopi: Wopi) -> None:
    inner = await wopi.world.file("inner/a.txt")
    options = SessionOptions(containers=True)
    parent = await wopi.world.session(inner, options=options)
    token, session_id = await traded(wopi, "outer.txt", parent=parent.session_id)
    assert await status_of(wopi, token, session_id) == 401
    assert await wopi.world.sessions.get(SessionId(session_id)) is None
    token, session_id = await traded(wopi, "inner/b.txt", parent=parent.session_id)
    assert await status_of(wopi, token, session_id) == 200


async def test_a_parent_that_ends_meanwhile_takes_it_along(
    wopi: Wopi, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = wopi.service.host.sessions
    create = sessions.create

    async def too_late(*arguments: Any, **more: Any) -> Any:
        status = await create(*arguments, **more)
        await wopi.redis.call(
            "DEL", f"wopi:{{{wopi.session.session_id[:2]}}}:session:{wopi.session.session_id}"
        )
        return status

    monkeypatch.setattr(sessions, "create", too_late)
    token, session_id = await traded(wopi)
    assert await status_of(wopi, token, session_id) == 401
    begun = await wopi.world.sessions.get(SessionId(session_id))
    assert begun is not None
    assert begun.state is SessionState.REVOKED


@pytest.mark.parametrize("grant", [Grant.LISTED, None])
async def test_a_parent_without_containers_gives_no_files(wopi: Wopi, grant: Grant | None) -> None:
    narrow = await wopi.world.session(await wopi.world.file())
    token, session_id = await traded(wopi, parent=narrow.session_id, grant=grant)
    assert await status_of(wopi, token, session_id) == 401
    assert await wopi.world.sessions.get(SessionId(session_id)) is None


async def test_a_file_that_it_made_opens_without_containers(wopi: Wopi) -> None:
    narrow = await wopi.world.session(await wopi.world.file())
    token, session_id = await traded(wopi, parent=narrow.session_id, grant=Grant.MADE)
    assert await status_of(wopi, token, session_id) == 200


@pytest.mark.parametrize("narrow", [{"edit": False}, {"options": ONE_FILE}])
async def test_who_may_make_no_files_has_no_token_of_one(
    wopi: Wopi, narrow: dict[str, Any]
) -> None:
    parent = await wopi.world.session(await wopi.world.file(), **narrow)
    token, session_id = await traded(wopi, parent=parent.session_id, grant=Grant.MADE)
    assert await status_of(wopi, token, session_id) == 401


async def moved_away(wopi: Wopi, token: str) -> None:
    """Move the file of a token out of the folder that its session reaches."""
    host = wopi.service.host
    (wopi.folder / "private").mkdir()
    record = await host.registry.record(host.tokens.verify(token).file_id)
    assert record is not None
    target, deadline_s = StoragePath("private/b.txt"), host.deadline(5)
    await host.mover.move(
        record,
        target,
        lock_id=None,
        session_id=SessionId(""),
        deadline_s=deadline_s,
        ignores_lock=True,
    )


async def asked(wopi: Wopi, token: str, override: str, body: bytes = b"") -> int:
    file_id = wopi.service.host.tokens.verify(token).file_id
    url = f"/wopi/files/{file_id}" + ("/contents" if override in {"PUT", "GET"} else "")
    answer = await wopi.http.request(
        "GET" if override == "GET" else "POST",
        url,
        params={"access_token": token},
        headers={"X-WOPI-Override": override, "X-WOPI-Lock": "L", "X-WOPI-SuggestedTarget": ".x"},
        content=body,
    )
    return answer.status_code


@pytest.fixture
async def inner(wopi: Wopi) -> Wopi:
    """Return the service with a session that reaches the folder ``inner`` only."""
    (wopi.folder / "inner").mkdir()
    (wopi.folder / "inner" / "a.txt").write_bytes(b"hello")
    options = SessionOptions(containers=True)
    file = await wopi.world.file("inner/a.txt")
    wopi.session = await wopi.world.session(file, options=options)
    return wopi


async def test_a_file_that_was_moved_away_is_not_reached_any_more(inner: Wopi) -> None:
    token, session_id = await traded(inner, "inner/b.txt")
    assert await status_of(inner, token, session_id) == 200
    await moved_away(inner, token)
    assert await status_of(inner, token, session_id) == 404
    asks = ("GET", "LOCK", "RENAME_FILE", "PUT_RELATIVE", "DELETE")
    assert [await asked(inner, token, ask) for ask in asks] == [404] * len(asks)


async def test_who_edits_a_file_ends_that_where_it_was_moved_to(inner: Wopi) -> None:
    token, session_id = await traded(inner, "inner/b.txt")
    assert await asked(inner, token, "GET") == 200
    assert await asked(inner, token, "LOCK") == 200
    await moved_away(inner, token)
    assert await asked(inner, token, "LOCK") == 200
    assert await asked(inner, token, "PUT", b"typed") == 200
    assert await asked(inner, token, "UNLOCK") == 200
    assert await status_of(inner, token, session_id) == 404
    assert (inner.folder / "private" / "b.txt").read_bytes() == b"typed"
