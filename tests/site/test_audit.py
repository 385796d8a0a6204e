"""Every page of the site, in light and in dark, as wide as a phone, a tablet and a desk."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page
from project import PAGES, ROOT, address_of

HERE = Path(__file__).parent
AXE = HERE / "node_modules/axe-core/axe.min.js"
AUDIT = "data:text/javascript," + quote((HERE / "audit.js").read_text())
ADDRESSES = [*map(address_of, PAGES), "404.html"]
FIGURES = sorted(path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.svg"))

DESK = {"viewport": {"width": 1350, "height": 900}}
TABLET = {"viewport": {"width": 768, "height": 1024}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

pytestmark = pytest.mark.usefixtures("node_modules")


@pytest.fixture(scope="module", params=ADDRESSES, ids=lambda address: address or "home")
def path(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def desk(opener, path: str) -> Iterator[Page]:
    with opener() as open_page:
        yield shown(open_page(path, **DESK, color_scheme="light"))


@pytest.fixture(scope="module")
def phone(opener, path: str) -> Iterator[Page]:
    with opener() as open_page:
        yield shown(open_page(path, **PHONE, color_scheme="light"))


def shown(page: Page) -> Page:
    """The page with its folds open, its figures loaded and a copy button on every snippet."""
    page.evaluate(AXE.read_text())
    measure(page, "show")
    return page


def measure(page: Page, name: str, *arguments: object):
    """What a function of `audit.js` returns on the page."""
    call = "async ([module, name, values]) => (await import(module))[name](...values)"
    return page.evaluate(call, [AUDIT, name, arguments])


def paint(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    name = {"light": "default", "dark": "slate"}[scheme]
    page.wait_for_function("name => document.body.dataset.mdColorScheme === name", arg=name)


def none(found: list[str]) -> None:
    assert not found, "\n".join(found)


def test_no_page_scrolls_sideways(desk, phone):
    none(measure(desk, "wide"))
    desk.set_viewport_size(TABLET["viewport"])
    none(measure(desk, "wide"))
    desk.set_viewport_size(DESK["viewport"])
    none(measure(phone, "wide"))


def test_headings_are_in_order(desk):
    levels = [
        int(tag[1])
        for tag in desk.eval_on_selector_all(
            "h1, h2, h3, h4, h5, h6", "all => all.map(one => one.tagName)"
        )
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels)), levels


def test_axe_finds_nothing_on_a_desk(desk):
    measure(desk, "thin")
    found = [f"light: {each}" for each in measure(desk, "violations", RULES)]
    paint(desk, "dark")
    found += [f"dark: {each}" for each in measure(desk, "violations", ["color-contrast"])]
    paint(desk, "light")
    none(found)


def test_axe_finds_nothing_on_a_phone_in_the_dark(phone):
    measure(phone, "thin")
    paint(phone, "dark")
    none(measure(phone, "violations", RULES))


@pytest.fixture(scope="module")
def focused(desk):
    desk.keyboard.press("Tab")  # the theme asks whether a reader uses the keyboard
    return measure(desk, "focused")


def test_everything_can_have_the_focus(focused):
    none(focused["missed"])


def test_what_has_the_focus_shows_it(focused):
    none(focused["unseen"])


def test_what_has_the_focus_is_not_under_the_header(focused):
    none(focused["covered"])


def test_texts_drawn_on_a_page_keep_apart(desk, phone):
    for page in (desk, phone):
        none([pair for drawing in measure(page, "drawings") for pair in overlaps(drawing)])


def test_texts_of_the_map_stay_in_their_boxes(open_page):
    none(measure(open_page(**PHONE), "spilled"))


@pytest.mark.parametrize(
    ("start", "key"),
    [("", "Tab"), ("workflow/3-training/", "Tab"), ("workflow/5-saving/", "Shift+Tab")],
)
def test_nothing_holds_the_focus(open_page, start, key):
    page = shown(open_page(start, **DESK))
    for _ in range(measure(page, "follow") + 9):
        page.keyboard.press(key)
    none(measure(page, "unvisited"))


def test_the_keyboard_brings_the_menu_of_a_narrow_window(open_page):
    page = shown(open_page(viewport=PHONE["viewport"]))
    links = page.locator(".md-sidebar--primary a:visible")
    links.first.focus()
    for _ in range(links.count() - 1):
        page.keyboard.press("Tab")
        assert measure(page, "inSight"), page.locator(":focus").inner_text()
    assert links.last.evaluate("link => link === document.activeElement")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_in_the_results_of_a_search(open_page, device, scheme):
    page = shown(open_page("?q=gradient", **device, color_scheme=scheme))
    page.locator(".md-search-result__link").first.wait_for()
    none(measure(page, "violations", RULES))


@pytest.fixture(scope="module")
def figures(chromium):
    """Each figure as the browser draws it."""
    page = chromium.new_page()
    page.set_content("".join((ROOT / "docs" / figure).read_text() for figure in FIGURES))
    figures = dict(zip(FIGURES, measure(page, "drawings"), strict=True))
    page.close()
    return figures


def test_no_two_texts_of_a_figure_overlap(figures):
    none([f"{name}: {pair}" for name, figure in figures.items() for pair in overlaps(figure)])


def test_no_text_leaves_its_figure(figures):
    none([f"{name}: {text}" for name, figure in figures.items() for text in outside(figure)])


def overlaps(figure: dict) -> list[str]:
    return [
        f"{one['text']} / {other['text']}"
        for one, other in itertools.combinations(figure["texts"], 2)
        if min(one["right"], other["right"]) - max(one["left"], other["left"]) > 1
        and min(one["bottom"], other["bottom"]) - max(one["top"], other["top"]) > 1
    ]


def outside(figure: dict) -> list[str]:
    return [
        one["text"]
        for one in figure["texts"]
        if min(one["left"], one["top"]) < -1
        or one["right"] > figure["width"] + 1
        or one["bottom"] > figure["height"] + 1
    ]
