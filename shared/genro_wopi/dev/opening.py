"""When the local cluster is open: every condition under which a document can be opened at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx

from genro_wopi.dev.errors import DevError

READY_S: Final = 60.0
POLL_S: Final = 0.05
REQUEST_S: Final = 10.0

EDITORS_MAX: Final = 1000
DEV_EDITOR: Final = "dev-editor"
DISCOVERY: Final = "/editor/hosting/discovery"
PAGES: Final = ("/demo", "/demo/documents", "/genro-wopi.js", DISCOVERY)

Condition = Callable[[httpx.AsyncClient], Awaitable[str]]
"""Returns what is missing; empty where it is fulfilled."""


async def until_open(own_url: str, admin_token: str, *, worker_url: str, demo: bool) -> None:
    """Wait until a session that is created now can be opened.

    Args:
        own_url: of the gateway.
        admin_token: only the gateway of this cluster takes it.
        worker_url: of the callback-worker's metrics.
        demo: whether dev editor and demo application run.

    Raises:
        DevError: something is missing after `READY_S`, or never will be there.
    """

    async def worker(client: httpx.AsyncClient) -> str:
        return _missing(await client.get(worker_url))

    conditions: list[tuple[str, Condition]] = [
        ("the gateway", _gateway),
        ("the callback-worker", worker),
    ]
    if demo:
        conditions += [("the demo", _demo), ("the dev editor", _editor), ("the demo", _pages)]
    else:
        conditions.append(("the gateway", _without_dev_editor))
    headers = {"Authorization": f"Bearer {admin_token}"}
    async with httpx.AsyncClient(
        base_url=own_url, headers=headers, timeout=REQUEST_S, trust_env=False
    ) as client:
        for name, condition in conditions:
            await _until(name, condition, client)


async def _until(name: str, condition: Condition, client: httpx.AsyncClient) -> None:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + READY_S
    while True:
        try:
            missing = await condition(client)
        except httpx.HTTPError as error:
            missing = f"it does not answer ({type(error).__name__})"
        if not missing:
            return
        if loop.time() > end_s:
            raise DevError(f"{name} is not ready after {READY_S:g} s: {missing}")
        await asyncio.sleep(POLL_S)


async def _gateway(client: httpx.AsyncClient) -> str:
    """Require Redis, session-service and wopi-services; and that this gateway is our own."""
    ready = await client.get("/health/ready")
    return _missing(ready) or _missing(await client.get("/api/tenants"))


async def _demo(client: httpx.AsyncClient) -> str:
    """Require that the demo has its tenant, storage and documents."""
    answer = await client.get("/demo/health")
    if answer.headers.get("content-type", "").startswith("application/json"):
        health: dict[str, Any] = answer.json()
        if health.get("status") == "failed":
            raise DevError(f"the demo cannot start: {health.get('detail')}")
    return _missing(answer)


async def _editor(client: httpx.AsyncClient) -> str:
    """Require that sessions find the dev editor as it is now, not as an earlier start left it."""
    answer = await client.post(f"/api/editors/{DEV_EDITOR}/refresh")
    if answer.is_error:
        return _missing(answer)
    editor: dict[str, Any] = answer.json()
    if editor["is_available"] and not editor["last_error"]:
        return ""
    return f"its discovery cannot be read ({editor['last_error']})"


async def _pages(client: httpx.AsyncClient) -> str:
    """Require what the browser asks for first."""
    missing = [_missing(await client.get(path)) for path in PAGES]
    return next(filter(None, missing), "")


async def _without_dev_editor(client: httpx.AsyncClient) -> str:
    """Take away the dev editor that an earlier start registered: nothing is there to open."""
    answer = await client.get("/api/editors", params={"limit": EDITORS_MAX})
    if answer.is_error:
        return _missing(answer)
    for editor in answer.json()["items"]:
        if editor["name"] == DEV_EDITOR and editor["discovery_url"].endswith(DISCOVERY):
            return _missing(await client.delete(f"/api/editors/{DEV_EDITOR}"))
    return ""


def _missing(answer: httpx.Response) -> str:
    if answer.is_success:
        return ""
    return f"{answer.request.url.path} answers {answer.status_code}: {answer.text[:200]}"
