"""Headless Chromium and the cluster with its demo, as a newcomer has it.

Playwright keeps an event loop running in the main thread while a browser is open; other tests have
loops of their own, so a browser never outlives its module.
"""

import os
import shutil
from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.cluster import Cluster, running_cluster

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    path = next((p for p in map(shutil.which, NAMES) if p), None)
    if path is None:
        message = "no Chromium on PATH: the browser tests do not run"
        if os.environ.get("WOPI_TEST_BROWSER") == "required":
            pytest.fail(message)
        pytest.skip(message)
    arguments = ["--no-sandbox", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("demo")) as cluster:
        yield cluster


@pytest.fixture
def page(browser: Browser, demo: Cluster) -> Generator[Page]:
    page = browser.new_page(viewport={"width": 1200, "height": 760})
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(f"{demo.url}/demo/")
    yield page
    page.close()
    assert not failures
