"""WOPI requests that no editor sends: answered as the reference says, not with a fault of ours."""

import asyncio
import tempfile
from collections.abc import Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from genro_wopi.adapters.redis.client import connect
from genro_wopi.protocol import headers as names
from genro_wopi.protocol.headers import ContainerOverride, Override
from tests.support.in_process import Wopi, wopi_in_process

DELIBERATE = {501}
"""An operation that this host does not offer; other answers above 499 are faults."""

LEFT_OUT = "session-service"
"""What makes a new session asks it; it is not here."""

VALUE = st.one_of(
    st.sampled_from(
        ["", "L", "true", "PUT", "a.txt", "+AC4ALg-", "..", "-1", "9" * 30, "\x7f", "é"]
    ),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00"), max_size=40),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *(names.LOCK, names.OLD_LOCK, names.SIZE, names.EDITORS, names.TIMESTAMP, names.PROOF),
            *(names.SUGGESTED_TARGET, names.RELATIVE_TARGET, names.OVERWRITE_TARGET),
            *(names.REQUESTED_NAME, names.URL_TYPE, names.EXTENSION_FILTER, names.WOPI_SRC),
            *(names.MAX_EXPECTED_SIZE, names.ECOSYSTEM_OPERATION, names.CORRELATION_ID),
            *("X-COOL-WOPI-Timestamp", "X-LOOL-WOPI-IsAutosave", "Range", "Content-Type"),
            *("If-Match", "X-Request-Id", "Authorization", "traceparent"),
        ]
    ),
    VALUE,
    max_size=5,
)
OVERRIDES = st.one_of(
    st.sampled_from([*(o.value for o in Override), *(o.value for o in ContainerOverride)]), VALUE
)
SUFFIXES = st.sampled_from(
    [
        "",
        "/contents",
        "/ancestry",
        "/children",
        "/ecosystem_pointer",
        "/nothing",
        "//",
        "/contents/x",
    ]
)
DOT = {names.SUGGESTED_TARGET: ".genro-wopi"}
PLACES = st.sampled_from(["files", "containers", "ecosystem", "folders", ""])
IDS = st.one_of(st.just("own"), st.text("0123456789abcXYZ_-", max_size=30))
BODIES = st.one_of(
    st.just(b""), st.binary(max_size=300), st.sampled_from([b"{}", b"[1]", b'{"a":'])
)
METHODS = st.sampled_from(["GET", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
TOKENS = st.one_of(st.just("own"), st.just("own"), st.just("own"), st.text(max_size=30))


@pytest.fixture(scope="module")
def running(redis_url: str) -> Generator[tuple[asyncio.Runner, Wopi]]:
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as name:
        stack = AsyncExitStack()

        async def start() -> Wopi:
            redis = await stack.enter_async_context(connect(redis_url))
            await redis.call("FLUSHALL")
            return await wopi_in_process(stack, redis, redis_url, Path(name))

        wopi = runner.run(start())
        yield runner, wopi
        runner.run(stack.aclose())


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    place: str
    file_id: str
    suffix: str
    override: str
    headers: dict[str, str]
    body: bytes
    token: str


REQUESTS = st.builds(
    Asked,
    method=METHODS,
    place=PLACES,
    file_id=IDS,
    suffix=SUFFIXES,
    override=OVERRIDES,
    headers=HEADERS,
    body=BODIES,
    token=TOKENS,
)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(asked=REQUESTS)
@example(Asked("POST", "files", "own", "", "PUT_RELATIVE", DOT, b"x", "own"))
def test_a_strange_request_is_refused_and_nothing_breaks(
    running: tuple[asyncio.Runner, Wopi], asked: Asked
) -> None:
    runner, wopi = running
    own = wopi.session.file_id
    file_id = own if asked.file_id == "own" else asked.file_id
    raw = [(k.encode(), v.encode("latin-1")) for k, v in asked.headers.items()]
    raw.append((names.OVERRIDE.encode(), asked.override.encode("latin-1")))

    async def ask() -> httpx.Response:
        query = {"access_token": wopi.token if asked.token == "own" else asked.token}
        path = f"/wopi/{asked.place}/{file_id}{asked.suffix}"
        return await wopi.http.request(
            asked.method, path, params=query, headers=raw, content=asked.body
        )

    answer = runner.run(ask())
    is_ours = answer.status_code >= 500 and answer.status_code not in DELIBERATE
    assert not is_ours or LEFT_OUT in answer.text, answer.text
    assert wopi.token not in answer.text
    assert not any("\n" in v or "\r" in v for v in answer.headers.values())
    if asked.token != "own":
        assert answer.status_code != 200
    assert not (wopi.folder / ".genro-wopi").is_file()
