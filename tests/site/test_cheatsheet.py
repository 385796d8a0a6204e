"""The cheat sheet: one screen of a desktop, one column on a phone, one printed page."""

import re

import pytest

PATH = "help/cheatsheet/"
A4 = {"width": 733, "height": 1062}  # 210 x 297 mm without its margins of 8 mm, in CSS pixels

TOO_WIDE = """() => [...document.querySelectorAll(".cheatsheet :is(pre > code, table)")]
  .filter((box) => box.scrollWidth > box.clientWidth)
  .map((box) => box.textContent)"""

OUTSIDE = """() => [...document.querySelectorAll(".cheatsheet *")].filter((box) => {
  const { left, right, bottom } = box.getBoundingClientRect();
  return left < 0 || right > innerWidth || bottom > innerHeight;
}).map((box) => box.textContent)"""


@pytest.fixture
def printed(open_page):
    page = open_page(PATH, viewport=A4)
    page.emulate_media(media="print")
    return page


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def size(page, selector):
    return page.locator(selector).first.evaluate(
        "box => parseFloat(getComputedStyle(box).fontSize)"
    )


@pytest.mark.parametrize("paper", ["A4", "Letter"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_prints_on_one_page(open_page, paper, scheme):
    page = open_page(PATH, color_scheme=scheme)
    assert pages_of(page.pdf(format=paper)) == 1


def test_another_page_prints_on_more(open_page):
    assert pages_of(open_page("setup/").pdf(format="A4")) > 1


def test_the_print_is_large_enough_to_read(printed):
    assert size(printed, ".cheatsheet pre > code") * 3 / 4 >= 7  # points
    assert size(printed, ".cheatsheet td") * 3 / 4 >= 6.5


def test_nothing_is_cut_off_in_the_print(printed):
    assert printed.evaluate(TOO_WIDE) == []
    assert printed.evaluate(OUTSIDE) == []


def test_the_print_holds_the_sheet_alone(printed):
    chrome = "header, footer, .md-sidebar, .md-content__button, .md-code__nav, .place, .headerlink"
    assert printed.locator(chrome).count() > 5
    assert [box for box in printed.locator(chrome).all() if box.is_visible()] == []
    link = printed.locator(".cheatsheet td a").first
    assert link.evaluate("link => getComputedStyle(link).textDecorationLine") == "none"
    assert link.evaluate("link => getComputedStyle(link, '::after').content") == "none"


def test_the_print_of_a_dark_page_is_dark_on_white(open_page):
    page = open_page(PATH, color_scheme="dark")
    page.add_style_tag(content="* { transition: none !important }")
    page.emulate_media(media="print", color_scheme="dark")
    colors = page.locator(".cheatsheet pre > code span").evaluate_all(
        "spans => spans.map((span) => getComputedStyle(span).color.match(/[0-9.]+/g).map(Number))"
    )
    assert len(colors) > 300
    assert max(0.299 * r + 0.587 * g + 0.114 * b for r, g, b, *_ in colors) < 130


def test_a_desktop_shows_it_whole(open_page):
    page = open_page(PATH, viewport={"width": 1350, "height": 900})
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate(OUTSIDE) == []


def test_a_phone_shows_one_column(open_page):
    page = open_page(PATH, viewport={"width": 390, "height": 844})
    lefts = page.locator(".cheatsheet h2").evaluate_all(
        "headings => headings.map((heading) => heading.getBoundingClientRect().left)"
    )
    assert len(lefts) > 8
    assert len(set(lefts)) == 1
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_links_are_large_enough_for_a_finger(open_page):
    page = open_page(PATH, viewport={"width": 390, "height": 844})
    heights = page.locator(".cheatsheet td a:not([class])").evaluate_all(
        "links => links.map((link) => link.getBoundingClientRect().height)"
    )
    assert len(heights) > 10
    assert min(heights) >= 24
