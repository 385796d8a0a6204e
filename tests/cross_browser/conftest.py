from collections.abc import Iterator
from pathlib import Path

import pytest
from cross_browser.firefox import Firefox, firefox
from cross_browser.reader import Reader
from cross_browser.webkit import webkit


@pytest.fixture(scope="session", params=[firefox, webkit], ids=["firefox", "webkit"])
def browser(request: pytest.FixtureRequest) -> Iterator[Reader]:
    with request.param() as browser:
        yield browser


@pytest.fixture(scope="session")
def browser_without_scripts() -> Iterator[Firefox]:
    with firefox(**{"javascript.enabled": False}) as browser:
        yield browser


@pytest.fixture
def reader(browser: Reader, site: Path) -> Iterator[Reader]:
    """A reader new to the site, whom nothing on it may give reason to complain."""
    with browser.visit(site):
        yield browser


@pytest.fixture
def reader_without_scripts(browser_without_scripts: Firefox, site: Path) -> Iterator[Firefox]:
    with browser_without_scripts.visit(site):
        yield browser_without_scripts
