"""What a reader does on the site, in a real browser."""

import re

import nbformat
from playwright.sync_api import expect
from project import ROOT

from executable_pages.blocks import Block
from executable_pages.reading import read_page

TRAINING = "workflow/3-training/"
DATA = "workflow/1-data/"
MODEL = "workflow/2-model/"
GRAY = "article img { background: gray; box-shadow: 0 0 0 9px gray }"  # in every palette


def snippets(page: str) -> list[Block]:
    return read_page(ROOT / "docs" / f"{page.rstrip('/')}.md").blocks


def test_home_leads_to_the_last_stage_by_next(open_page):
    page = open_page()
    for _ in range(8):
        page.get_by_role("link", name="Next:").click()
    assert page.locator("h1").inner_text().startswith("Improving by experiment")


def test_search_leads_to_the_section_and_marks_what_was_sought(open_page):
    page = open_page()
    page.get_by_role("textbox", name="Search").fill("zero_grad")
    page.locator(f".md-search-result__link[href*='{TRAINING}?h=zero'][href*='#']").first.click()
    page.wait_for_url(re.compile(rf"{TRAINING}\?h=zero.*#.+"))
    section = page.locator(":target")
    expect(section).to_be_in_viewport()
    expect(page.locator("article mark", has_text="zero_grad").first).to_be_attached()


def test_a_copied_snippet_is_that_of_the_page_to_the_letter(open_page):
    page = open_page(MODEL, permissions=["clipboard-read", "clipboard-write"])
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    copied = []
    for snippet in page.locator(".language-python, .language-bash").all():
        snippet.scroll_into_view_if_needed()
        snippet.get_by_role("button", name="Copy to clipboard").click()
        copied.append(page.evaluate("navigator.clipboard.readText()").rstrip("\n"))
    assert copied == [block.code.rstrip("\n") for block in snippets(MODEL)]


def test_figures_follow_the_palette_and_not_the_system(open_page):
    drawn = {}
    for system in ("light", "dark"):
        page = open_page(color_scheme=system, reduced_motion="reduce")
        page.add_style_tag(content=GRAY)
        for palette in ("automatic", "light", "dark"):
            toggle = page.get_by_title(f"Colors: {palette}")
            expect(toggle).to_be_visible()
            page.evaluate("document.querySelector('article img').decode()")
            page.mouse.move(0, 0)
            drawn[system, palette] = page.locator("article img").first.screenshot()
            toggle.click()
    light, dark = drawn["light", "light"], drawn["dark", "dark"]
    assert light != dark
    assert drawn["dark", "light"] == drawn["light", "automatic"] == light
    assert drawn["light", "dark"] == drawn["dark", "automatic"] == dark


def test_the_palette_stays_on_other_pages(open_page):
    page = open_page(color_scheme="light")
    for palette in ("automatic", "light"):
        page.get_by_role("button", name=f"Colors: {palette}").click()
    page.goto(DATA)
    expect(page.get_by_role("button", name="Colors: dark")).to_be_visible()
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "slate")


def test_a_dark_page_is_dark_before_its_text_is_there(open_page):
    page = open_page("404.html", color_scheme="dark")
    page.add_init_script(
        """new MutationObserver((_, observer) => {
          if (!document.querySelector("article")) return;
          window.atFirst = document.body.dataset.mdColorScheme;
          observer.disconnect();
        }).observe(document, { childList: true, subtree: true });"""
    )
    page.goto(DATA)
    assert page.evaluate("atFirst") == "slate"


def test_a_downloaded_notebook_holds_the_snippets_of_its_page(open_page, tmp_path):
    page = open_page(DATA)
    with page.expect_download() as download:
        page.get_by_title("Download this page as a notebook").click()
    download.value.save_as(tmp_path / "notebook.ipynb")
    notebook = nbformat.read(tmp_path / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    run = [block.code.strip() for block in snippets(DATA) if not (block.source or block.role)]
    assert [code for code in run if code not in cells] == []


def test_a_solution_unfolds_by_click_and_by_keyboard(open_page):
    page = open_page(DATA)
    solution = page.locator("details", has=page.get_by_text("Solution", exact=True)).first
    expect(solution.locator("pre")).to_be_hidden()
    solution.locator("summary").click()
    expect(solution.locator("pre")).to_be_visible()
    solution.locator("summary").press("Enter")
    expect(solution.locator("pre")).to_be_hidden()
    solution.locator("summary").press("Space")
    expect(solution.locator("pre")).to_be_visible()


def test_without_javascript_a_reader_misses_nothing(open_page):
    page = open_page(DATA, java_script_enabled=False)
    figure = page.locator("article img").first
    assert figure.evaluate("image => image.complete && image.naturalWidth > 0")
    solution = page.locator("details", has=page.get_by_text("Solution", exact=True)).first
    solution.locator("summary").click()
    expect(solution.locator("pre")).to_be_visible()
    page.get_by_role("link", name="Next:").click()
    assert page.url.endswith("workflow/2-model/")


def test_without_javascript_nothing_useless_is_shown(open_page):
    page = open_page(TRAINING, java_script_enabled=False)
    for useless in (page.get_by_role("textbox"), page.get_by_role("button")):
        expect(useless).to_have_count(0)
