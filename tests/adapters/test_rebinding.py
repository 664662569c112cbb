"""A name that leads elsewhere than when it was checked: no part of this host follows it there."""

import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from genro_wopi.adapters.directory import CachedDirectory
from genro_wopi.adapters.editors import FetchingEditorDirectory
from genro_wopi.adapters.http.egress import EgressPolicy, GuardedNetwork
from genro_wopi.adapters.http.prober import HttpProber
from genro_wopi.adapters.redis.client import RedisClient
from genro_wopi.adapters.redis.editor_store import RedisEditorStore
from genro_wopi.adapters.redis.tenant_store import RedisTenantStore
from genro_wopi.adapters.secrets import AesGcmRing
from genro_wopi.adapters.storage.s3 import S3Storage
from genro_wopi.adapters.storage.s3_client import S3Settings
from genro_wopi.adapters.storage.webdav_client import DavClient, DavSettings
from genro_wopi.adapters.webhooks import WebhookReceiver
from genro_wopi.domain.doctor import UnreachedError
from genro_wopi.domain.events import Event, EventContext
from genro_wopi.domain.identifiers import tenant_name
from genro_wopi.domain.paths import StoragePath
from genro_wopi.domain.secrets import Secret
from genro_wopi.domain.storages import StorageFaultError
from tests.adapters.test_egress import PUBLIC, Server, listening
from tests.support.world import TENANT, World, an_editor

NAME = "rebinding.example"
LITERALS = ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]")
NOBODY = EgressPolicy((), setting="WOPI_STORAGE_ALLOW")


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> "Resolver":
    """The system's, but for one name: public when it is checked, ours when it is used."""
    found = Resolver(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", found)
    return found


class Resolver:
    """Implements `socket.getaddrinfo`."""

    def __init__(self, real: Callable[..., Any]) -> None:
        self._real = real
        self.leads_to = PUBLIC
        self.asked = 0

    def __call__(self, host: Any, port: Any, *more: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is None or not name.endswith(NAME):
            return self._real(host, port, *more, **named)
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.leads_to, int(port or 0)))]


def settings(url: str, **changes: Any) -> S3Settings:
    plain: dict[str, Any] = {
        "bucket": "bucket",
        "prefix": "",
        "endpoint_url": url,
        "region": "us-east-1",
        "path_style": True,
        "access_key_id": "a",
        "secret_access_key": Secret("b"),
        "egress": NOBODY,
    }
    return S3Settings(**plain | changes)


async def ask_s3(url: str, _redis: RedisClient) -> None:
    storage = await S3Storage.connect(settings(url), None)
    try:
        with pytest.raises(StorageFaultError):
            await storage.node(StoragePath("a.txt")).stat()
    finally:
        await storage.aclose()


async def ask_virtual_host(url: str, _redis: RedisClient) -> None:
    storage = await S3Storage.connect(settings(url, path_style=False), None)
    try:
        with pytest.raises(StorageFaultError):
            await storage.list_folder(StoragePath(""), limit=1)
    finally:
        await storage.aclose()


async def ask_webdav(url: str, _redis: RedisClient) -> None:
    client = DavClient(DavSettings(url=url), NOBODY)
    try:
        with pytest.raises(StorageFaultError):
            await client.request("GET", "a.txt")
    finally:
        await client.aclose()


async def ask_callback(url: str, redis: RedisClient) -> None:
    await World(redis).tenant()
    store = RedisTenantStore(redis)
    tenant = await store.get_tenant(tenant_name(TENANT))
    assert tenant is not None
    await store.put_tenant(msgspec.structs.replace(tenant, client_base_url=url))
    receiver = WebhookReceiver(
        CachedDirectory(store),
        AesGcmRing((("k", bytes(32)),)),
        GuardedNetwork(NOBODY),
    )
    context = EventContext(
        tenant_id=TENANT, session_id="", file_id="", storage_name="", account="", user=""
    )
    event = Event(
        event_id="e",
        name="document_saved",
        context=context,
        sequence=1,
        file_path="a.txt",
        at_us=time.time_ns() // 1000,
        attempt=1,
        details={},
    )
    outcome = await receiver.deliver(event)
    await receiver.aclose()
    assert not outcome.delivered
    assert "not a public address" in outcome.reason


async def ask_discovery(url: str, redis: RedisClient) -> None:
    directory = FetchingEditorDirectory(RedisEditorStore(redis), NOBODY)
    editor = an_editor(url)
    await RedisEditorStore(redis).put_editor(editor)
    assert await directory.fetch(editor) is None
    state = await RedisEditorStore(redis).get_state("", "office")
    await directory.aclose()
    assert state is not None
    assert "not a public address" in (state.last_error or "")


async def ask_prober(url: str, _redis: RedisClient) -> None:
    with pytest.raises(UnreachedError, match="not a public address"):
        await HttpProber(GuardedNetwork(NOBODY)).ask("GET", url)


ASKING = [ask_s3, ask_virtual_host, ask_webdav, ask_callback, ask_discovery, ask_prober]


@pytest.mark.parametrize("ask", ASKING, ids=lambda ask: ask.__name__)
async def test_a_name_that_changes_after_it_was_checked_is_not_followed(
    ask: Callable[[str, RedisClient], Awaitable[None]], redis: RedisClient, resolver: Resolver
) -> None:
    async with listening(Server()) as server:
        url = f"http://{NAME}:{server.port}"
        await NOBODY.check_url(url, field="url")
        resolver.leads_to = "127.0.0.1"
        asked = resolver.asked
        await ask(url, redis)
        assert resolver.asked > asked
        assert server.visits == 0


@pytest.mark.parametrize("literal", LITERALS)
@pytest.mark.parametrize("ask", [a for a in ASKING if a is not ask_virtual_host])
async def test_an_address_in_figures_is_checked_as_a_name_is(
    ask: Callable[[str, RedisClient], Awaitable[None]], literal: str, redis: RedisClient
) -> None:
    async with listening(Server()) as server:
        await ask(f"http://{literal}:{server.port}", redis)
        assert server.visits == 0


async def test_a_bucket_whose_name_leads_elsewhere_is_not_asked(resolver: Resolver) -> None:
    async with listening(Server()) as server:
        resolver.leads_to = "127.0.0.1"
        url = f"http://{NAME}:{server.port}"
        storage = await S3Storage.connect(
            settings(url, path_style=False, hands_out_urls=True), None
        )
        node = storage.node(StoragePath("a.txt"))
        with pytest.raises(StorageFaultError):
            await node.presigned_url(life_s=60)
        await storage.aclose()
        assert server.visits == 0
