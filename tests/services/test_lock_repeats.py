"""Requests that carry neither an id nor a time stamp are not taken for repeats of each other."""

from tests.support.in_process import Wopi


async def change(wopi: Wopi, override: str, lock: str, **more: str) -> int:
    headers = {"X-WOPI-Override": override, "X-WOPI-Lock": lock, **more}
    query = {"access_token": wopi.token}
    return (await wopi.http.post(wopi.path, params=query, headers=headers)).status_code


async def test_a_second_unlock_is_refused(wopi: Wopi) -> None:
    assert await change(wopi, "LOCK", "L") == 200
    assert await change(wopi, "UNLOCK", "L") == 200
    assert await change(wopi, "UNLOCK", "L") == 409


async def test_a_second_relock_from_another_lock_is_refused(wopi: Wopi) -> None:
    assert await change(wopi, "LOCK", "L") == 200
    assert await change(wopi, "LOCK", "M", **{"X-WOPI-OldLock": "L"}) == 200
    assert await change(wopi, "LOCK", "M", **{"X-WOPI-OldLock": "K"}) == 409


async def test_a_repeat_with_the_same_id_is_answered_as_the_first(wopi: Wopi) -> None:
    request_id = {"X-Request-Id": "r-1"}
    assert await change(wopi, "LOCK", "L") == 200
    assert await change(wopi, "UNLOCK", "L", **request_id) == 200
    assert await change(wopi, "UNLOCK", "L", **request_id) == 200
