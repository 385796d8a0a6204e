"""No page outgrows what a first visit may cost, beside a bare page of the theme with its text."""

import functools
import json

import pytest
from project import PAGES, WRITTEN_PAGES, address_of
from serving import serve
from weighing import build_bare, index_of, size_of, visit


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return build_bare(WRITTEN_PAGES, tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module")
def bare_home(chromium, bare):
    with serve(bare) as address:
        return visit(chromium, address)


@pytest.fixture(scope="module")
def first_visit(chromium, address):
    return functools.cache(lambda page: visit(chromium, address + address_of(page)))


@pytest.mark.parametrize("page", PAGES, ids=address_of)
def test_a_first_visit_takes_at_most_200_000_bytes(first_visit, page):
    assert first_visit(page).total <= 200_000, first_visit(page).sizes


@pytest.mark.parametrize("page", PAGES, ids=address_of)
def test_a_first_visit_fetches_nothing_of_the_search(first_visit, page):
    assert not [url for url in first_visit(page).sizes if "/search" in url]


@pytest.mark.parametrize("page", WRITTEN_PAGES, ids=address_of)
def test_a_page_takes_at_most_1_15_times_a_bare_one_and_blocks_no_more(
    first_visit, page, bare, bare_home
):
    ours = first_visit(page)
    home, text = (size_of(bare / address / "index.html") for address in ("", address_of(page)))
    theirs = bare_home.without_figures - home + text + index_of(page, bare)
    assert ours.without_figures <= 1.15 * theirs, (ours.sizes, bare_home.sizes)
    assert len(ours.blocking) <= len(bare_home.blocking), (ours.blocking, bare_home.blocking)


def test_a_browser_styles_the_longest_page_once(chromium, address):
    page = chromium.new_page()
    chromium.start_tracing(page=page, categories=["devtools.timeline"])
    page.goto(address + "workflow/3-training/", wait_until="networkidle")
    events = json.loads(chromium.stop_tracing())["traceEvents"]
    styled = sum(event.get("args", {}).get("elementCount", 0) for event in events)
    elements = page.locator("*").count()
    page.close()
    assert elements < styled < 1.5 * elements
