"""The demo application: a page, sessions on its documents, and callbacks shown as they arrive."""

import asyncio
import json
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.response import ServerSentEvent
from litestar.static_files import (
    create_static_files_router,  # pyright: ignore[reportUnknownVariableType] - untyped parameters
)
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from demo_app.host import WopiHost, register

HERE: Final = Path(__file__).parent
SHOWN_MAX: Final = 50
KEEPALIVE_S: Final = 10.0

DemoRequest = Request[None, None, State]


class Demo:
    """The application's own state: its host, its secret, the callbacks that came."""

    def __init__(self, host: WopiHost, webhook_secret: str) -> None:
        self.host = host
        self.webhook = Webhook(webhook_secret)
        self.callbacks: deque[dict[str, Any]] = deque(maxlen=SHOWN_MAX)
        self.listeners: set[asyncio.Queue[dict[str, Any] | None]] = set()

    def receive(self, event: dict[str, Any]) -> None:
        """Show a callback to everybody who looks."""
        if any(known["event_id"] == event["event_id"] for known in self.callbacks):
            return  # At least once means: sometimes twice, with the same id.
        self.callbacks.append(event)
        for listener in self.listeners:
            listener.put_nowait(event)

    def end_streams(self) -> None:
        """Let go of everybody who looks, so that the server can stop."""
        for listener in self.listeners:
            listener.put_nowait(None)

    async def stream(self) -> AsyncIterator[str]:
        """Yield callbacks as they arrive; a comment now and then keeps the connection."""
        listener: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        for event in self.callbacks:
            listener.put_nowait(event)
        self.listeners.add(listener)
        try:
            while True:
                try:
                    async with asyncio.timeout(KEEPALIVE_S):
                        event = await listener.get()
                except TimeoutError:
                    yield "{}"
                    continue
                if event is None:
                    return
                yield json.dumps(event)
        finally:
            self.listeners.discard(listener)


class Progress:
    """How the start goes."""

    def __init__(self) -> None:
        self.detail = ""
        self.has_failed = False


def _demo(request: DemoRequest) -> Demo:
    demo: Demo = request.app.state["demo"]
    return demo


@get("/demo")
async def index() -> Response[str]:
    """Show the page."""
    page = (HERE / "static" / "index.html").read_text("utf-8")
    return Response(page, media_type=MediaType.HTML)


@get("/demo/health")
async def health(request: DemoRequest) -> Response[dict[str, str]]:
    """Answer 200 once the tenant is registered and its documents are there."""
    if request.app.state["demo"] is not None:
        return Response({"status": "ready"})
    progress: Progress = request.app.state["progress"]
    is_over = progress.has_failed
    status = {"status": "failed" if is_over else "starting", "detail": progress.detail}
    return Response(status, status_code=503)


@get("/demo/documents")
async def documents(request: DemoRequest) -> list[dict[str, Any]]:
    """List what can be opened."""
    return await _demo(request).host.documents()


@post("/demo/open", status_code=200)
async def open_document(request: DemoRequest) -> dict[str, Any]:
    """Create a session and hand its launch page to the browser."""
    form = await request.json()
    session = await _demo(request).host.open_session(
        form["path"], form["user"], may_edit=form["may_edit"]
    )
    return {"launch_url": session["launch_url"], "notes": session["notes"]}


@post("/demo/change", status_code=200)
async def change_outside(request: DemoRequest) -> dict[str, str]:
    """Change a document past the editor, as another program would."""
    path = (await request.json())["path"]
    host = _demo(request).host
    await host.write(path, await host.read(path) + b"\nChanged outside of the editor.\n")
    return {"status": "changed"}


@post("/demo/callback", status_code=200)
async def callback(request: DemoRequest) -> Response[bytes]:
    """Receive an event; only what carries a good signature counts."""
    body = await request.body()
    try:
        event = _demo(request).webhook.verify(body, dict(request.headers))
    except WebhookVerificationError:
        return Response(b'{"ok": false}', status_code=401, media_type=MediaType.JSON)
    _demo(request).receive(event)
    return Response(b'{"ok": true}', media_type=MediaType.JSON)


@get("/demo/events")
async def events(request: DemoRequest) -> ServerSentEvent:
    """Stream callbacks to the page."""
    return ServerSentEvent(_demo(request).stream())


async def start(progress: Progress) -> Demo | None:
    """Register at the host, as soon as it is up, and put the sample documents there.

    Returns:
        None where the host refuses for good; `progress` says why.
    """
    url, token = os.environ["WOPI_PUBLIC_URL"], os.environ["WOPI_ADMIN_TOKEN"]
    files_dir = Path(os.environ["WOPI_LOCAL_ROOTS"].split(":")[0])
    while True:
        try:
            return await _begin(url, token, files_dir)
        except httpx.HTTPStatusError as error:
            answer = error.response
            progress.detail = f"{answer.request.url} answers {answer.status_code}: {answer.text}"
            if answer.is_client_error:
                progress.has_failed = True
                print(progress.detail, flush=True)  # noqa: T201 - this example has no log
                return None
        except httpx.HTTPError as error:
            progress.detail = f"{url} does not answer ({type(error).__name__})"
        await asyncio.sleep(0.1)


async def _begin(url: str, token: str, files_dir: Path) -> Demo:
    key, secret = await register(url, token, files_dir)
    host = WopiHost(url, key)
    known = {document["name"] for document in await host.documents()}
    for sample in sorted((HERE / "samples").iterdir()):
        if sample.name not in known:
            await host.write(sample.name, sample.read_bytes())
    return Demo(host, secret)


def create_app() -> Litestar:
    """Build the application."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        async def starting() -> None:
            app.state["demo"] = await start(app.state["progress"])

        app.state["demo"] = None
        app.state["progress"] = Progress()
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(starting())
            yield
            task.cancel()

    static = create_static_files_router(path="/demo/static", directories=[HERE / "static"])
    return Litestar(
        route_handlers=[
            index,
            health,
            documents,
            open_document,
            change_outside,
            callback,
            events,
            static,
        ],
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
    )
