"""The main job in a browser: open, type, save, see the callback; open twice; conflict."""

import re
import threading
import time
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.support.cluster import ADMIN_TOKEN, Cluster

pytestmark = [pytest.mark.browser, pytest.mark.check, pytest.mark.timeout(180)]

STORED = "/api/storages/documents/files/content"


def open_document(page: Page, name: str, button: str = "Open", frame: int = 0) -> FrameLocator:
    row = page.locator(f'li[data-path="{name}"]')
    row.get_by_role("button", name=button, exact=True).click()
    launch = page.frame_locator(f"#stage iframe >> nth={frame}")
    editor = launch.frame_locator("iframe[name=editor]")
    expect(editor.locator("#name")).to_have_text(name, timeout=15_000)
    return editor


def stored(demo: Cluster, name: str) -> str:
    query = {"tenant_id": "demo", "path": name}
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    return httpx.get(f"{demo.url}{STORED}", params=query, headers=headers).text


def test_open_type_save_and_see_the_callback(page: Page, demo: Cluster, tmp_path: Path) -> None:
    editor = open_document(page, "notes.txt")
    editor.locator("#text").fill("Typed in a browser.")
    expect(editor.locator("#state")).to_have_text("Modified")
    editor.locator("#save").click()
    expect(editor.locator("#state")).to_have_text("Saved", timeout=15_000)
    expect(page.locator("#callbacks b").filter(has_text="document_saved").first).to_be_visible()
    page.screenshot(path=tmp_path / "saved.png")
    editor.locator("#close").click()
    expect(page.locator("#callbacks b").filter(has_text="lock_released").first).to_be_visible()
    assert stored(demo, "notes.txt") == "Typed in a browser."


def test_what_was_typed_is_saved_by_itself(page: Page, demo: Cluster) -> None:
    editor = open_document(page, "prices.csv")
    editor.locator("#text").fill("item,price\nchair,99\n")
    expect(editor.locator("#state")).to_have_text("Saved", timeout=15_000)
    assert stored(demo, "prices.csv") == "item,price\nchair,99\n"
    editor.locator("#close").click()


def test_the_second_editor_is_read_only_and_says_who_edits(page: Page) -> None:
    first = open_document(page, "welcome.md")
    second = open_document(page, "welcome.md", "Beside", frame=1)
    expect(second.locator("#state")).to_have_text("Read-only")
    expect(second.locator("#notice")).to_contain_text("Anna Bianchi is editing")
    first.locator("#close").click()


def test_a_change_outside_is_a_conflict_that_the_person_decides(page: Page, demo: Cluster) -> None:
    editor = open_document(page, "notes.txt")
    page.locator('li[data-path="notes.txt"]').get_by_role("button", name="±").click()
    page.wait_for_timeout(300)
    editor.locator("#text").fill("My own words.")
    editor.locator("#save").click()
    expect(editor.locator("#conflict")).to_be_visible(timeout=15_000)
    rescued = page.locator("#callbacks b").filter(has_text="save_rescued")
    expect(rescued.first).to_be_visible(timeout=15_000)
    assert "Changed outside" in stored(demo, "notes.txt")
    editor.locator("#overwrite").click()
    expect(editor.locator("#state")).to_have_text("Saved", timeout=15_000)
    assert stored(demo, "notes.txt") == "My own words."
    editor.locator("#close").click()


def test_an_office_document_is_shown_and_not_changed(page: Page) -> None:
    editor = open_document(page, "offer.docx")
    expect(editor.locator("#text")).to_have_value(re.compile(".*forty chairs.*", re.DOTALL))
    expect(editor.locator("#save")).to_be_disabled()


def test_a_viewer_cannot_type(page: Page) -> None:
    editor = open_document(page, "welcome.md", "View")
    expect(editor.locator("#state")).to_have_text("Read-only")
    assert editor.locator("#text").get_attribute("readonly") is not None


def test_an_editor_that_stays_silent_is_explained(page: Page) -> None:
    page.clock.install()
    page.route("**/editor/edit*", lambda route: route.fulfill(body="<p>nothing</p>"))
    page.locator('li[data-path="notes.txt"]').get_by_role("button", name="Open").first.click()
    launch = page.frame_locator("#stage iframe")
    expect(launch.frame_locator("iframe[name=editor]").locator("p")).to_have_text("nothing")
    expect(launch.locator("#notice")).to_be_hidden()
    page.clock.fast_forward(25_000)
    expect(launch.get_by_role("heading")).to_contain_text("does not appear")
    page.unroute_all()
    launch.get_by_role("button", name="Try again").click()
    editor = launch.frame_locator("iframe[name=editor]")
    expect(editor.locator("#name")).to_have_text("notes.txt", timeout=15_000)
    expect(launch.locator("#notice")).to_be_hidden()
    editor.locator("#close").click()
    expect(page.locator("#stage iframe")).to_have_count(0)


def test_an_application_drives_the_editor_through_the_script(page: Page, demo: Cluster) -> None:
    editor = open_document(page, "welcome.md")
    editor.locator("#text").fill("Saved by the application.")
    expect(editor.locator("#state")).to_have_text("Modified")
    ask = "JSON.stringify({MessageId: 'Action_Save', SendTime: 0, Values: {}})"
    page.evaluate(f"document.querySelector('#stage iframe').contentWindow.postMessage({ask}, '*')")
    expect(editor.locator("#state")).to_have_text("Saved", timeout=15_000)
    assert stored(demo, "welcome.md") == "Saved by the application."
    editor.locator("#close").click()
    expect(page.locator("#stage iframe")).to_have_count(0)


def test_the_page_renews_its_token_while_somebody_types(page: Page, demo: Cluster) -> None:
    page.clock.install()
    editor = open_document(page, "welcome.md")
    with (
        page.expect_response("**/open/renew") as renewed,
        page.expect_response("**/editor/views/*/token"),
    ):
        page.clock.fast_forward("11:00:00")
    assert renewed.value.status == 200
    editor.locator("#text").fill("Typed with the new token.")
    editor.locator("#save").click()
    expect(editor.locator("#state")).to_have_text("Saved", timeout=15_000)
    assert stored(demo, "welcome.md") == "Typed with the new token."
    editor.locator("#close").click()


def test_an_editor_that_shows_a_copy_keeps_the_copys_token(page: Page) -> None:
    page.clock.install()
    editor = open_document(page, "prices.csv")
    frame = next(f for f in page.frames if f.name == "editor")
    frame.evaluate("""() => {
      window.heard = [];
      addEventListener("message", (event) => heard.push(JSON.parse(event.data).MessageId));
      const values = { success: true, fileName: "copy of prices.csv" };
      const saved = { MessageId: "Action_Save_Resp", SendTime: 0, Values: values };
      parent.postMessage(JSON.stringify(saved), "*");
    }""")
    for _ in range(2):  # What the first renewal does is done when the second one is asked for.
        with page.expect_response("**/open/renew") as renewed:
            page.clock.fast_forward("11:00:00")
        assert renewed.value.status == 200, "the session, and the copy's with it, are renewed"
    assert "Reset_Access_Token" not in frame.evaluate("heard")
    editor.locator("#close").click()


def test_a_session_that_ended_meanwhile_is_said_on_the_page(page: Page, demo: Cluster) -> None:
    page.clock.install()
    open_document(page, "offer.docx")  # Shown only: no lock stays behind a revoked session.
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    query = {"tenant_id": "demo", "state": "active"}
    found = httpx.get(f"{demo.url}/api/sessions", params=query, headers=headers).json()["items"]
    for session in found:
        httpx.post(f"{demo.url}/api/sessions/{session['session_id']}/revoke", headers=headers)
    page.clock.fast_forward("11:00:00")
    launch = page.frame_locator("#stage iframe")
    expect(launch.get_by_role("alert")).to_contain_text("This session has ended")


def test_closing_from_the_application_saves_what_was_typed(page: Page, demo: Cluster) -> None:
    editor = open_document(page, "prices.csv")
    editor.locator("#text").fill("item,price\nlamp,12\n")
    expect(editor.locator("#state")).to_have_text("Modified")
    ask = "JSON.stringify({MessageId: 'Action_Close', SendTime: 0, Values: {}})"
    page.evaluate(f"document.querySelector('#stage iframe').contentWindow.postMessage({ask}, '*')")
    expect(page.locator("#stage iframe")).to_have_count(0)
    assert stored(demo, "prices.csv") == "item,price\nlamp,12\n"


KILLED = (
    "wopi_service",
    "dev_editor",
    "gateway",
    "session_service",
    "callback_worker",
    "redis-server",
    "valkey",
)


def test_any_process_can_be_killed_while_somebody_types(page: Page, demo: Cluster) -> None:
    """Nothing that was shown as saved is ever missing, and the editor recovers by itself."""
    editor = open_document(page, "notes.txt")
    names = [n for n in KILLED if any(n in found for found in demo.pids())]
    for number, name in enumerate(names):
        threading.Timer(0.2, demo.kill, (name,)).start()
        text = f"Line {number}, typed while {name} is killed."
        editor.locator("#text").fill(text)
        editor.locator("#save").click()
        expect(editor.locator("#state")).to_have_text("Saved", timeout=45_000)
        deadline = time.monotonic() + 30
        while True:
            try:
                assert stored(demo, "notes.txt") == text
                break
            except (httpx.HTTPError, AssertionError):
                assert time.monotonic() < deadline, (name, stored(demo, "notes.txt"))
                time.sleep(0.3)
    editor.locator("#close").click()
    wait_until_ready(demo)


def wait_until_ready(demo: Cluster) -> None:
    deadline = time.monotonic() + 30
    while httpx.get(f"{demo.url}/health/ready").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
