"""The pages of the console; each shows what one or two operations answer."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final

from litestar import MediaType, Response, get, post
from litestar.response import Redirect

from genro_wopi.domain.errors import HostError, UnauthenticatedError, UnavailableError
from genro_wopi.gateway.routes.console.access import (
    PATH,
    ConsoleRequest,
    NoVisitError,
    checked_form,
    cookie,
    cookie_name,
    form_of,
    form_token,
    log_in,
    require_own_origin,
    visit_of,
)
from genro_wopi.gateway.routes.console.perform import perform
from genro_wopi.gateway.routes.console.templates import render
from genro_wopi.gateway.routes.service import GatewayService
from genro_wopi.runtime.logs import get_logger
from genro_wopi.web.client_address import client_address
from genro_wopi.web.errors import status_of

SEE_OTHER: Final = 303
PAGE_LENGTH: Final = 100

Shown = dict[str, Any]
Look = Callable[[GatewayService, str, dict[str, str]], Awaitable[Shown]]
"""What a page shows: for a tenant, and what else its address says."""


async def overview(service: GatewayService, tenant: str, _query: dict[str, str]) -> Shown:
    """Show how the installation is, and where something waits for the operator."""
    status = await perform(service, "instance.status")
    counts: Shown = {}
    if tenant:
        for name, operation, more in (
            ("sessions", "sessions.list", {"state": "active"}),
            ("locks", "locks.list", {}),
            ("pending", "events.list", {"status": "pending"}),
            ("dead", "events.list", {"status": "dead"}),
            ("recovery", "recovery.list", {}),
        ):
            limit = {} if operation == "locks.list" else {"limit": PAGE_LENGTH}
            found = await perform(service, operation, tenant_id=tenant, **more, **limit)
            counts[name] = f"{len(found.items)}{'+' if found.next_cursor else ''}"
    return {"status": status, "counts": counts}


async def sessions(service: GatewayService, tenant: str, query: dict[str, str]) -> Shown:
    """Show who edits what."""
    state = query.get("state", "active")
    found = await perform(
        service,
        "sessions.list",
        tenant_id=tenant,
        state=state if state != "all" else None,
        file_path=query.get("file_path"),
        cursor=query.get("cursor"),
        limit=PAGE_LENGTH,
    )
    return {"found": found, "state": state, "file_path": query.get("file_path", "")}


async def timeline(service: GatewayService, tenant: str, query: dict[str, str]) -> Shown:
    """Show what happened in one session, with the verdict."""
    wanted = {"session_id": query.get("session_id", ""), "tenant_id": tenant}
    return {
        "session": await perform(service, "sessions.get", **wanted),
        "timeline": await perform(service, "sessions.timeline", **wanted),
    }


async def locks(service: GatewayService, tenant: str, _query: dict[str, str]) -> Shown:
    """Show which files are locked, by whom, since when."""
    return {"found": await perform(service, "locks.list", tenant_id=tenant)}


async def editors(service: GatewayService, tenant: str, _query: dict[str, str]) -> Shown:
    """Show the editors of the instance and of a tenant."""
    own = await perform(service, "editors.list", tenant_id=tenant) if tenant else None
    return {"instance": await perform(service, "editors.list"), "own": own}


async def storages(service: GatewayService, tenant: str, _query: dict[str, str]) -> Shown:
    """Show a tenant's storages and what they can really do."""
    return {"found": await perform(service, "storages.list", tenant_id=tenant)}


async def events(service: GatewayService, tenant: str, query: dict[str, str]) -> Shown:
    """Show events on their way."""
    status = query.get("status", "dead")
    found = await perform(
        service,
        "events.list",
        tenant_id=tenant,
        status=status,
        cursor=query.get("cursor"),
        limit=PAGE_LENGTH,
    )
    return {"found": found, "status": status}


async def audit(service: GatewayService, tenant: str, query: dict[str, str]) -> Shown:
    """Search the audit trail."""
    names = ("action", "account", "user", "file_path", "session_id", "since", "until")
    wanted = {name: query.get(name, "") for name in names}
    found = await perform(
        service,
        "audit.list",
        tenant_id=tenant,
        cursor=query.get("cursor"),
        limit=PAGE_LENGTH,
        **wanted,
    )
    return {"found": found, "wanted": wanted}


async def recovery(service: GatewayService, tenant: str, query: dict[str, str]) -> Shown:
    """Show saves that were refused and kept."""
    found = await perform(
        service,
        "recovery.list",
        tenant_id=tenant,
        cursor=query.get("cursor"),
        limit=PAGE_LENGTH,
    )
    return {"found": found}


async def doctor(service: GatewayService, tenant: str, query: dict[str, str]) -> Shown:
    """Show what is wrong, once it is asked for: an examination calls many others."""
    if not query.get("run"):
        return {"diagnosis": None}
    return {"diagnosis": await perform(service, "doctor.run", tenant_id=tenant)}


PAGES: Final[dict[str, tuple[str, Look, bool]]] = {
    "": ("Overview", overview, False),
    "sessions": ("Sessions", sessions, True),
    "locks": ("Locks", locks, True),
    "events": ("Events", events, True),
    "recovery": ("Recovery", recovery, True),
    "audit": ("Audit", audit, False),
    "storages": ("Storages", storages, True),
    "editors": ("Editors", editors, False),
    "doctor": ("Doctor", doctor, False),
    "timeline": ("Timeline", timeline, True),
}
"""By the end of their address: title, what they show, whether they need a tenant."""

IN_MENU: Final = [name for name in PAGES if name != "timeline"]

ACTIONS: Final[dict[str, str]] = {
    "release-lock": "locks.force-unlock",
    "replay-event": "events.replay",
    "replay-dead": "events.replay-dead",
    "close-session": "sessions.close",
    "revoke-session": "sessions.revoke",
    "refresh-editor": "editors.refresh",
    "probe-storage": "storages.probe",
    "restore-copy": "recovery.restore",
}
"""Forms of the pages and the operations that they carry out."""

DONE: Final = {
    "release-lock": "The lock was released.",
    "replay-event": "The event is sent again.",
    "replay-dead": "Dead letters are sent again.",
    "close-session": "The session is closed; what is typed may still be saved.",
    "revoke-session": "The session was revoked.",
    "refresh-editor": "The discovery was fetched.",
    "probe-storage": "The storage was probed.",
    "restore-copy": "The copy was taken back.",
}

_BUG: Final = "The log of the gateway says why."

Handler = Callable[..., Awaitable[Response[Any]]]


def guarded(handler: Handler) -> Handler:
    """Send who is not logged in to the form, and say in words what was refused."""

    @wraps(handler)
    async def handle(request: ConsoleRequest, **values: Any) -> Response[Any]:  # noqa: ANN401 - the route's own
        try:
            return await handler(request, **values)
        except NoVisitError:
            return Redirect(f"{PATH}/login", status_code=SEE_OTHER)
        except HostError as error:
            return _refused(_service(request), error)
        except Exception as error:  # noqa: BLE001 - the top of every page: it answers and logs
            get_logger().error("console_failed", page=request.url.path, exc_info=error)
            return _page(
                _service(request), "message.html", 500, title="This page failed", text=_BUG
            )

    return handle


@get([PATH, f"{PATH}/{{name:str}}"])
@guarded
async def show_page(request: ConsoleRequest, name: str = "") -> Response[Any]:
    """Show one page."""
    service = _service(request)
    secret = await visit_of(service, request)
    if name not in PAGES:
        return _page(service, "message.html", 404, title="There is no such page", text="")
    title, look, needs_tenant = PAGES[name]
    query = {k: v for k, v in request.query_params.items() if isinstance(v, str)}
    tenants = [t.id for t in (await perform(service, "tenants.list", limit=1000)).items]
    tenant = query.get("tenant") or (tenants[0] if tenants and needs_tenant else "")
    shown: Shown = {}
    problem = ""
    if tenant or not needs_tenant:
        try:
            shown = await look(service, tenant, query)
        except HostError as error:
            problem = str(error)
    return _page(
        service,
        f"{name or 'overview'}.html",
        200,
        title=title,
        page=name,
        menu=[(n, PAGES[n][0]) for n in IN_MENU],
        tenants=tenants,
        tenant=tenant,
        form_token=form_token(secret),
        notice=DONE.get(query.get("done", ""), ""),
        problem=problem or query.get("problem", "")[:500],
        refresh=query.get("refresh") == "on",
        query=query,
        is_empty=not tenants,
        **shown,
    )


@post(f"{PATH}/do/{{action:str}}", status_code=SEE_OTHER)
@guarded
async def act(request: ConsoleRequest, action: str = "") -> Response[Any]:
    """Do what a form asks for, then show its page again."""
    service = _service(request)
    fields = await checked_form(service, request)
    back = fields.pop("back", "")
    if action not in ACTIONS or back not in PAGES:
        return _page(service, "message.html", 404, title="There is no such form", text="")
    tenant = fields.get("tenant_id", "")
    place = f"{PATH}/{back}"
    try:
        await perform(service, ACTIONS[action], **fields)
    except HostError as error:
        return Redirect(
            place, query_params={"tenant": tenant, "problem": str(error)}, status_code=SEE_OTHER
        )
    return Redirect(place, query_params={"tenant": tenant, "done": action}, status_code=SEE_OTHER)


@get(f"{PATH}/login")
async def login_page(request: ConsoleRequest) -> Response[Any]:
    """Show the form for the token."""
    return _page(_service(request), "login.html", 200, title="Log in", problem="")


@post(f"{PATH}/login", status_code=SEE_OTHER)
async def login(request: ConsoleRequest) -> Response[Any]:
    """Trade the token for a visit."""
    service = _service(request)
    try:
        require_own_origin(service, request)
        token = (await form_of(request)).get("token", "").strip()
        address = client_address(request.scope, service.trusted_proxies)
        begun = await log_in(service, token, address)
    except (UnauthenticatedError, UnavailableError, HostError) as error:
        status = status_of(error)
        shown = _page(service, "login.html", status, title="Log in", problem=str(error))
        if isinstance(error, UnavailableError):
            shown.headers["Retry-After"] = str(error.retry_after_s)
        return shown
    return Redirect(PATH, status_code=SEE_OTHER, cookies=[begun])


@post(f"{PATH}/logout", status_code=SEE_OTHER)
@guarded
async def logout(request: ConsoleRequest) -> Response[Any]:
    """End the visit."""
    service = _service(request)
    await checked_form(service, request)
    await service.visits.end(request.cookies[cookie_name(service)])
    return Redirect(f"{PATH}/login", status_code=SEE_OTHER, cookies=[cookie(service, "")])


def _service(request: ConsoleRequest) -> GatewayService:
    service: GatewayService = request.app.state["gateway"]
    return service


def _refused(service: GatewayService, error: HostError) -> Response[str]:
    return _page(
        service, "message.html", status_of(error), title="That was refused", text=str(error)
    )


def _page(service: GatewayService, template: str, code: int, **values: Any) -> Response[str]:  # noqa: ANN401 - the template's
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    content = render(template, version=service.version, **values)
    return Response(content, status_code=code, media_type=MediaType.HTML, headers=headers)


CONSOLE_ROUTES: Final = (login_page, login, logout, show_page, act)
