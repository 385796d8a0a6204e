import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import browsers
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from serving import serve

QUIET = [  # no request of the browser's own
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the built site is served."""
    with serve(site) as address:
        yield address


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Where npm has put what the tests need; `make test` sees to it."""
    folder = Path(__file__).parent / "node_modules"
    if not folder.is_dir():
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse("no axe and no html-validate here: `make test` installs them")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = browsers.needed("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=QUIET, chromium_sandbox=False
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def opener(chromium: Browser, address: str) -> Callable[..., contextlib.AbstractContextManager]:
    """Opens pages of the site, each in a browser context of its own with the options given.

    At the end of the `with` block the test fails if a page wrote to the console, raised an error,
    loaded something in vain or asked another host; `page.complaints` is the list of these, for
    tests that expect one.
    """

    @contextlib.contextmanager
    def opener() -> Iterator[Callable[..., Page]]:
        contexts, complaints = [], []

        def watch(page: Page) -> None:
            page.on("console", lambda message: complaints.append(f"{page.url}: {message.text}"))
            page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))

        def refuse(route) -> None:
            complaints.append(f"{route.request.frame.url} asks {route.request.url}")
            route.abort()

        def check(response) -> None:
            if response.status >= 400:
                complaints.append(f"{response.frame.url}: {response.status} for {response.url}")

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

    return opener


@pytest.fixture
def open_page(opener) -> Iterator[Callable[..., Page]]:
    with opener() as open_page:
        yield open_page
