"""Headless Chromium and the cluster with its demo, as a newcomer has it.

Playwright keeps an event loop running in the main thread while a browser is open; other tests have
loops of their own, so a browser never outlives its module.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from tests.support import tools
from tests.support.cluster import Cluster, running_cluster

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> "Generator[Browser]":
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - where it is installed

    path = tools.needed("Chromium")
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
def page(browser: "Browser", demo: Cluster) -> "Generator[Page]":
    page = browser.new_page(viewport={"width": 1200, "height": 760})
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(f"{demo.url}/demo/")
    yield page
    page.close()
    assert not failures
