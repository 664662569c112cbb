"""The last good copy of an editor's discovery, where several processes fetch it at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from genro_wopi.adapters.editors import FetchingEditorDirectory
from genro_wopi.adapters.http.egress import EgressPolicy
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.editor_store import RedisEditorStore
from genro_wopi.domain.editors import Editor, ProofPolicy
from genro_wopi.protocol.check_file_info import EditorKind

pytestmark = pytest.mark.anyio

GOOD = (
    b'<wopi-discovery><net-zone name="external-http"><app name="text">'
    b'<action name="edit" ext="txt" urlsrc="http://127.0.0.1/edit?"/></app></net-zone>'
    b"</wopi-discovery>"
)


class SlowEditor:
    """Answers discovery in the order in which the test lets it."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: asyncio.Queue[asyncio.Future[tuple[int, bytes]]] = asyncio.Queue()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        await self.asked.put(answer)
        status, body = await answer
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    def configured(self) -> Editor:
        url = f"http://127.0.0.1:{self.port}"
        return Editor(
            scope="",
            name="one",
            kind=EditorKind.COLLABORA,
            url=url,
            discovery_url=f"{url}/d",
            proof=ProofPolicy.IF_PUBLISHED,
            priority=1,
            extensions=(),
            revision=1,
            created_us=1,
            updated_us=1,
        )


@asynccontextmanager
async def slow_editor() -> AsyncGenerator[SlowEditor]:
    editor = SlowEditor()
    async with await asyncio.start_server(editor.handle, "127.0.0.1", 0) as server:
        editor.port = server.sockets[0].getsockname()[1]
        yield editor


@asynccontextmanager
async def directory(redis: RedisClient) -> AsyncGenerator[FetchingEditorDirectory]:
    policy = EgressPolicy(("loopback",), setting="WOPI_EDITOR_ALLOW")
    found = FetchingEditorDirectory(RedisEditorStore(redis), policy, fresh_s=0.0)
    try:
        yield found
    finally:
        await found.aclose()


@pytest.mark.parametrize("late", [(503, b""), (200, b"no discovery at all")])
async def test_a_failure_that_began_before_a_good_copy_came_does_not_replace_it(
    redis: RedisClient, late: tuple[int, bytes]
) -> None:
    async with slow_editor() as editor, directory(redis) as one, directory(redis) as two:
        configured = editor.configured()
        await RedisEditorStore(redis).put_editor(configured)
        early = asyncio.ensure_future(one.fetch(configured))
        first = await editor.asked.get()
        good = asyncio.ensure_future(two.fetch(configured))
        (await editor.asked.get()).set_result((200, GOOD))
        assert await good is not None
        first.set_result(late)
        found = await early
        assert found is not None
        assert found.last_error is None
        assert await one.answering(configured, "f") is not None


async def test_what_is_fetched_while_its_editor_is_removed_does_not_come_back(
    redis: RedisClient,
) -> None:
    store = RedisEditorStore(redis)
    async with slow_editor() as editor, directory(redis) as one:
        configured = editor.configured()
        await store.put_editor(configured)
        fetching = asyncio.ensure_future(one.fetch(configured))
        (await editor.asked.get()).set_result((200, GOOD))
        assert await fetching is not None
        again = asyncio.ensure_future(one.fetch(configured))
        answer = await editor.asked.get()
        assert await store.delete_editor("", "one")
        answer.set_result((200, GOOD))
        assert await again is None
        assert await store.get_state("", "one") is None


async def test_a_failure_is_shown_beside_the_last_good_copy(redis: RedisClient) -> None:
    async with slow_editor() as editor, directory(redis) as one:
        configured = editor.configured()
        await RedisEditorStore(redis).put_editor(configured)
        for answer, error in (((503, b""), True), ((200, GOOD), False), ((503, b""), True)):
            fetching = asyncio.ensure_future(one.fetch(configured))
            (await editor.asked.get()).set_result(answer)
            found = await fetching
            state = await RedisEditorStore(redis).get_state("", "one")
            assert state is not None
            assert (state.last_error is not None) is error
        assert found is not None
        assert found.discovery.actions
