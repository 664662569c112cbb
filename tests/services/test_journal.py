"""What is written down of requests: each that changes or fails, some that only read, no secret."""

from typing import Any

import msgspec
import pytest
import structlog
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from genro_wopi.runtime.logs import get_logger
from genro_wopi.wopi_service.app import create_app
from tests.support.in_process import Wopi, client_of

HEADERS = {
    "X-Request-Id": "r-1",
    "X-WOPI-CorrelationId": "c-1",
    "X-WOPI-SessionId": "s-1",
}


@pytest.fixture(autouse=True)
def unconfigured() -> None:
    """Forget how another test of this process had lines written."""
    structlog.reset_defaults()
    vars(get_logger()).pop("bind", None)


async def logged(wopi: Wopi, method: str, **more: Any) -> list[dict[str, Any]]:
    with capture_logs() as lines:
        query = {"access_token": wopi.token}
        headers = HEADERS | more.pop("headers", {})
        await wopi.http.request(method, wopi.path, params=query, headers=headers, **more)
    return [dict(line) for line in lines]


async def test_a_change_is_logged_with_what_names_it(wopi: Wopi) -> None:
    lock = {"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "A"}
    (line,) = await logged(wopi, "POST", headers=lock)
    assert line.pop("duration_ms") > 0
    assert line == {
        "event": "wopi_answered",
        "log_level": "info",
        "operation": "lock",
        "status": 200,
        "tenant": "acme",
        "file_id": wopi.session.file_id,
        "session_id": wopi.session.session_id,
        "request_id": "r-1",
        "correlation_id": "c-1",
        "wopi_session_id": "s-1",
    }


async def test_a_refusal_is_logged_with_its_reason_and_without_the_token(wopi: Wopi) -> None:
    await logged(wopi, "POST", headers={"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "A"})
    (line,) = await logged(wopi, "POST", headers={"X-WOPI-Override": "LOCK", "X-WOPI-Lock": "B"})
    assert (line["event"], line["status"]) == ("wopi_refused", 409)
    assert "lock" in line["reason"]
    assert wopi.token not in str(line)


async def test_of_what_only_reads_one_in_so_many_is_logged(wopi: Wopi) -> None:
    service = msgspec.structs.replace(wopi.service, log_sample=10)
    async with client_of(create_app(service, wopi.redis)) as http:
        with capture_logs() as lines:
            for _ in range(30):
                await http.get(wopi.path, params={"access_token": wopi.token})
    assert [line["operation"] for line in lines] == ["check_file_info"] * 3


async def test_what_was_slow_is_logged_whatever_it_is(wopi: Wopi) -> None:
    service = msgspec.structs.replace(wopi.service, slow_request_seconds=0.0)
    async with client_of(create_app(service, wopi.redis)) as http:
        with capture_logs() as lines:
            await http.get(wopi.path, params={"access_token": wopi.token})
    assert [(line["event"], line["log_level"]) for line in lines] == [("wopi_slow", "warning")]


@pytest.mark.parametrize(("token", "editor"), [("good", "collabora"), ("bad", "none")])
async def test_requests_are_counted_by_kind_of_editor(wopi: Wopi, token: str, editor: str) -> None:
    shown = wopi.token_with(editor_kind="collabora") if token == "good" else "bad"
    status = "200" if token == "good" else "401"
    labels = {"operation": "check_file_info", "status": status, "editor": editor}
    before = REGISTRY.get_sample_value("wopi_requests_total", labels) or 0.0
    await wopi.http.get(wopi.path, params={"access_token": shown})
    assert REGISTRY.get_sample_value("wopi_requests_total", labels) == before + 1
