"""No page outgrows what a first visit may cost, beside a bare page of the theme with its text."""

import pytest
from project import PAGES, WRITTEN_PAGES, address_of
from serving import serve
from weighing import build_bare, visit


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    with serve(build_bare(WRITTEN_PAGES, tmp_path_factory.mktemp("bare"))) as address:
        yield address


@pytest.mark.parametrize("page", PAGES, ids=address_of)
def test_a_first_visit_takes_at_most_200_000_bytes(chromium, address, page):
    cost = visit(chromium, address + address_of(page))
    assert cost.total <= 200_000, cost.sizes


@pytest.mark.parametrize("page", WRITTEN_PAGES, ids=address_of)
def test_a_page_takes_at_most_1_15_times_a_bare_one_and_blocks_no_more(
    chromium, address, bare, page
):
    ours = visit(chromium, address + address_of(page))
    theirs = visit(chromium, bare + address_of(page))
    assert ours.page_alone <= 1.15 * theirs.page_alone, (ours.sizes, theirs.sizes)
    assert len(ours.blocking) <= len(theirs.blocking), (ours.blocking, theirs.blocking)
