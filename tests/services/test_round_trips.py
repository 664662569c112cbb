"""How many times each operation asks Redis: once, and at most three times for a save."""

from tests.support.in_process import Wopi


async def test_round_trips_are_counted(wopi: Wopi) -> None:
    http, redis = wopi.http, wopi.redis

    async def cost(method: str, suffix: str, headers: dict[str, str], body: bytes = b"") -> int:
        before = redis.round_trips
        answer = await http.request(
            method,
            wopi.path + suffix,
            params={"access_token": wopi.token},
            headers=headers,
            content=body or None,
        )
        assert answer.status_code == 200, answer.text
        return redis.round_trips - before

    lock = {"X-WOPI-Lock": "L"}

    async def costs_of_each() -> dict[str, int]:
        return {
            "CheckFileInfo": await cost("GET", "", {}),
            "GetFile": await cost("GET", "/contents", {}),
            "LOCK": await cost("POST", "", {"X-WOPI-Override": "LOCK", **lock}),
            "GET_LOCK": await cost("POST", "", {"X-WOPI-Override": "GET_LOCK"}),
            "REFRESH_LOCK": await cost("POST", "", {"X-WOPI-Override": "REFRESH_LOCK", **lock}),
            "PutFile": await cost("POST", "/contents", {"X-WOPI-Override": "PUT", **lock}, b"more"),
            "UnlockAndRelock": await cost(
                "POST", "", {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "M", "X-WOPI-OldLock": "L"}
            ),
            "UNLOCK": await cost("POST", "", {"X-WOPI-Override": "UNLOCK", "X-WOPI-Lock": "M"}),
        }

    await costs_of_each()  # Scripts are loaded, configuration and head are read once.
    costs = await costs_of_each()
    assert costs.pop("PutFile") <= 3
    assert set(costs.values()) == {1}, costs
