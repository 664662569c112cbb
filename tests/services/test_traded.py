"""A token that was traded for another one begins a session of its own, while its parent lasts."""

from typing import Any

import msgspec
import pytest

from genro_wopi.domain.identifiers import SessionId, new_session_id
from genro_wopi.domain.sessions import SessionState
from tests.support.in_process import Wopi


async def traded(wopi: Wopi, path: str = "b.txt", *, parent: str | None = None) -> tuple[str, str]:
    """Return a token for another file, as GetNewAccessToken gives it, and its session's id."""
    (wopi.folder / path).parent.mkdir(exist_ok=True)
    (wopi.folder / path).write_bytes(b"beside")
    file = await wopi.world.file(path)
    claims = msgspec.structs.replace(
        wopi.claims_of(wopi.session),
        session_id=new_session_id(file.file_id),
        file_id=file.file_id,
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
    parent = await wopi.world.session(inner)
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
