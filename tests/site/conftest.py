import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import browsers
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from project import ROOT
from serving import serve

# Builds the site, and says on its last line whether torch was imported on the way.
BUILD = """
import sys
from mkdocs.__main__ import cli
try:
    cli(["build", "--strict", "--config-file", "mkdocs.yml", "--site-dir", sys.argv[1]])
finally:
    print("torch" in sys.modules)
"""

DEFAULTS = {"EXECUTE_NOTEBOOKS": "false", "SITE_URL": "https://example.org/"}

QUIET = [  # no request of the browser's own
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]

Build = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def build() -> Build:
    """Builds the site of a project folder into another folder, by default without the capstone."""

    def build(root: Path, into: Path, **environment: str):
        return subprocess.run(
            [sys.executable, "-c", BUILD, str(into)],
            cwd=root,
            env=os.environ | DEFAULTS | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return build


@pytest.fixture(scope="session")
def built(build: Build, tmp_path_factory: pytest.TempPathFactory):
    """The build of this project's site, and the folder it went to."""
    folder = tmp_path_factory.mktemp("built") / "site"
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return done, folder


@pytest.fixture(scope="session")
def site(built) -> Path:
    return built[1]


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the built site is served."""
    with serve(site) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = browsers.needed("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=QUIET, chromium_sandbox=False
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Opens a page of the site, in a browser context of its own with the options given.

    The test fails when a page writes to the console, raises an error, loads something in vain or
    asks another host; `page.complaints` is the list of these, for tests that expect one.
    """
    contexts, complaints = [], []

    def watch(page: Page) -> None:
        page.on("console", lambda message: complaints.append(f"{page.url}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))

    def refuse(route) -> None:
        complaints.append(f"asks {route.request.url}")
        route.abort()

    def check(response) -> None:
        if response.status >= 400:
            complaints.append(f"{response.status}: {response.url}")

    def open_page(path: str = "", **options) -> Page:
        context = chromium.new_context(base_url=address, **options)
        contexts.append(context)
        context.on("page", watch)
        context.on("response", check)
        context.route(lambda url: not url.startswith((address, "data:", "blob:")), refuse)
        page = context.new_page()
        page.complaints = complaints
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
