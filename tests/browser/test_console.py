"""The console as an operator uses it, without JavaScript; and as nobody else may."""

import re
import uuid
from collections.abc import Generator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.cluster import ADMIN_TOKEN, Application, Cluster, running_application
from tests.support.editor import EditorClient
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.check, pytest.mark.timeout(180)]


class Tenant:
    """A tenant with a locked document and a dead letter."""

    def __init__(self, demo: Cluster, application: Application) -> None:
        self.name, self.demo = f"c{uuid.uuid4().hex[:8]}", demo
        application.answers[self.name] = (410, b"")
        application.secrets[self.name] = "whsec_" + "A" * 44
        with demo.admin() as admin:
            tenant = {"id": self.name, "client_base_url": application.url}
            self.key = admin.post("/api/tenants", json=tenant).json()["api_key"]
            secret = admin.post(f"/api/tenants/{self.name}/webhook-secret").json()
            application.secrets[self.name] = secret["webhook_secret"]
            config = {"base_path": str(demo.data_dir / "files" / self.name)}
            storage = {"name": "docs", "protocol": "local", "config": config}
            admin.post("/api/storages", json={"tenant_id": self.name, **storage})
            editor = {"name": "own", "kind": "generic", "url": "http://127.0.0.1:9", "proof": "off"}
            admin.post("/api/editors", json={"tenant_id": self.name, "priority": 1, **editor})
        headers = {"Authorization": f"Bearer {self.key}"}
        self.http = httpx.Client(base_url=demo.url, headers=headers, timeout=30)
        path = {"path": "stuck.txt"}
        self.http.put("/api/storages/docs/files/content", params=path, content=b"x")
        self.editor = EditorClient(self.http, self.session())
        assert self.editor.override("LOCK", "L").status_code == 200

    def session(self) -> dict[str, Any]:
        request = {
            "storage_name": "docs",
            "file_path": "stuck.txt",
            "permissions": ["view", "edit"],
            "account": "sales",
            "user": "<b>Anna</b>",
            "editor": "own",
        }
        answer = self.http.post("/api/sessions/create", json=request)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def wait_for_dead(self) -> None:
        dead = {"status": "dead"}
        until(lambda: bool(self.http.get("/api/events", params=dead).json()["items"]))


@pytest.fixture(scope="module")
def application() -> Generator[Application]:
    with running_application() as running:
        yield running


@pytest.fixture
def tenant(demo: Cluster, application: Application) -> Generator[Tenant]:
    made = Tenant(demo, application)
    yield made
    made.http.close()


@pytest.fixture(params=[("light", 1200), ("dark", 420)], ids=["light, wide", "dark, narrow"])
def console(browser: Browser, demo: Cluster, request: pytest.FixtureRequest) -> Generator[Page]:
    scheme, width = request.param
    context = browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
        java_script_enabled=False,
        base_url=demo.url,
    )
    page = context.new_page()
    page.goto("/console")
    expect(page).to_have_url(re.compile("/console/login$"))
    page.get_by_label("Admin token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("This is not the admin token.")
    page.get_by_label("Admin token").fill(ADMIN_TOKEN)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    yield page
    context.close()


def test_a_stuck_lock_is_released(console: Page, tenant: Tenant) -> None:
    console.goto(f"/console/locks?tenant={tenant.name}")
    row = console.locator("tr", has_text="stuck.txt")
    expect(row).to_contain_text("<b>Anna</b>")
    row.get_by_label("Why").fill("On holiday")
    row.get_by_role("button", name="Release").click()
    expect(console.get_by_role("status")).to_have_text("The lock was released.")
    expect(console.locator(".empty")).to_have_text("No file is locked.")
    assert tenant.http.get("/api/locks").json()["items"] == []
    found = tenant.http.get("/api/audit", params={"action": "locks.force-unlock"}).json()["items"]
    assert [r["details"]["reason"] for r in found] == ["On holiday"]


def test_a_dead_letter_is_sent_again(
    console: Page, tenant: Tenant, application: Application
) -> None:
    tenant.wait_for_dead()
    application.answers[tenant.name] = (200, b"")
    with tenant.demo.admin() as admin:
        admin.patch(f"/api/tenants/{tenant.name}", json={"client_base_url": application.url})
    before = len(application.events)
    console.goto(f"/console/events?tenant={tenant.name}")
    console.locator("tr", has_text="session_created").first.get_by_role(
        "button", name="Send again"
    ).click()
    expect(console.get_by_role("status")).to_have_text("The event is sent again.")
    until(
        lambda: any(
            e["event"] == "session_created" and e["tenant_id"] == tenant.name
            for e in application.events[before:]
        )
    )


def test_an_audit_record_is_found(console: Page, tenant: Tenant) -> None:
    console.goto(f"/console/audit?tenant={tenant.name}")
    console.get_by_label("Action").fill("sessions.create")
    console.get_by_role("button", name="Search").click()
    row = console.locator("tr", has_text="sessions.create")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("stuck.txt")
    console.get_by_label("Action").fill("nothing.like-this")
    console.get_by_role("button", name="Search").click()
    expect(console.locator(".empty")).to_have_text("Nothing was found.")


def test_a_timeline_says_what_happened(console: Page, tenant: Tenant) -> None:
    tenant.editor.get()
    steps = f"/api/sessions/{tenant.editor.session_id}/timeline"
    until(lambda: '"lock"' in tenant.http.get(steps).text)
    console.goto(f"/console/sessions?tenant={tenant.name}")
    console.get_by_role("link", name="Timeline").first.click()
    expect(console.locator(".notice")).not_to_be_empty()
    expect(console.locator("table")).to_contain_text("lock")


def test_every_page_fits_and_says_something(console: Page, tenant: Tenant) -> None:
    for name in ("", "sessions", "locks", "events", "recovery", "audit", "storages", "editors"):
        console.goto(f"/console/{name}?tenant={tenant.name}")
        expect(console.locator("main")).not_to_be_empty()
        assert console.get_by_role("alert").count() == 0, name
        width = console.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, f"{name} is {width} px too wide"


def test_the_doctor_examines_a_tenant(console: Page, tenant: Tenant) -> None:
    console.goto(f"/console/doctor?tenant={tenant.name}")
    console.get_by_role("button", name="Examine").click()
    expect(console.locator(".finding", has_text="editor.discovery")).to_be_visible(timeout=30_000)


def test_leaving_ends_the_visit(console: Page) -> None:
    console.get_by_role("button", name="Log out").click()
    expect(console).to_have_url(re.compile("/console/login$"))
    console.goto("/console/locks")
    expect(console).to_have_url(re.compile("/console/login$"))


# Without a browser: what another site or a stranger could send


@pytest.fixture
def visit(demo: Cluster) -> Generator[httpx.Client]:
    with httpx.Client(base_url=demo.url) as http:
        answer = http.post("/console/login", data={"token": ADMIN_TOKEN})
        assert answer.status_code == 303
        yield http


def test_the_cookie_is_kept_from_scripts_and_other_sites(demo: Cluster) -> None:
    answer = httpx.post(f"{demo.url}/console/login", data={"token": ADMIN_TOKEN})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/console" in cookie
    assert ADMIN_TOKEN not in cookie


def test_a_form_of_another_site_is_refused(visit: httpx.Client, tenant: Tenant) -> None:
    form = {"back": "locks", "tenant_id": tenant.name, "file_id": tenant.editor.session["file_id"]}
    page = visit.get("/console/locks").text
    token = re.findall(r'name="form_token" value="([0-9a-f]+)"', page)[0]
    bare = visit.post("/console/do/release-lock", data=form)
    wrong = visit.post("/console/do/release-lock", data={**form, "form_token": "0" * 64})
    foreign = visit.post(
        "/console/do/release-lock",
        data={**form, "form_token": token},
        headers={"Origin": "https://evil.example"},
    )
    assert [a.status_code for a in (bare, wrong, foreign)] == [403, 403, 403]
    assert len(tenant.http.get("/api/locks").json()["items"]) == 1
    with httpx.Client(base_url=tenant.demo.url) as stranger:
        sent = stranger.post("/console/do/release-lock", data={**form, "form_token": token})
        assert sent.headers["location"].endswith("/console/login")
    own = visit.post("/console/do/release-lock", data={**form, "form_token": token})
    assert own.status_code == 303
    assert tenant.http.get("/api/locks").json()["items"] == []


def test_pages_carry_no_script_and_no_token(visit: httpx.Client, tenant: Tenant) -> None:
    page = visit.get("/console/sessions", params={"tenant": tenant.name})
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "<b>Anna" not in page.text
    assert tenant.editor.token not in page.text
    assert visit.get("/console/nothing").status_code == 404


def test_who_guesses_tokens_is_stopped(demo: Cluster) -> None:
    answers = [
        httpx.post(f"{demo.url}/console/login", data={"token": f"wrong-{n}"}).status_code
        for n in range(30)
    ]
    try:
        assert answers[0] == 401
        assert answers[-1] == 503
        right = httpx.post(f"{demo.url}/console/login", data={"token": ADMIN_TOKEN})
        assert right.status_code == 503
    finally:
        forget_failures(demo)


def forget_failures(demo: Cluster) -> None:
    from redis import Redis  # noqa: PLC0415 - only here

    server: Any = Redis
    with server.from_url((demo.data_dir / "redis-url").read_text()) as redis:
        redis.delete(*redis.keys("wopi:console-failures:*"))
