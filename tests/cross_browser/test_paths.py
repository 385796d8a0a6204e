"""What a reader does on the site works in Firefox and in WebKit, Safari's engine."""

import re

import nbformat
import pytest
import torch
from cross_browser.reader import until
from project import ROOT
from selenium.webdriver.common.keys import Keys

from executable_pages.reading import read_page
from torch_workflow import LinearRegression, save_model

FIGURE = "article img[src*='.svg']"
PLAYGROUND = "[data-widget=playground]"
INSPECTOR = "[data-widget=inspector]"

COME_NEAR = """(widget) => {
  const element = document.querySelector(widget);
  element.scrollIntoView();
  return "mounted" in element.dataset;
}"""

# Formulas without a size, and those with a fraction whose parts do not stand one above the other.
BROKEN_FORMULAS = """() => [...document.querySelectorAll("math")].filter((formula) => {
  const { width, height } = formula.getBoundingClientRect();
  const isFlat = ({ children: [above, below] }) =>
    above.getBoundingClientRect().bottom > below.getBoundingClientRect().top + 1;
  return !width || !height || [...formula.querySelectorAll("mfrac")].some(isFlat);
}).map((formula) => formula.textContent)"""


@pytest.fixture(scope="session")
def pages(site):
    """The built pages, by their paths on the site."""
    return {
        file.relative_to(site).as_posix().removesuffix("index.html"): file.read_text()
        for file in sorted(site.rglob("index.html"))
    }


def test_a_reader_notices_errors_missing_files_and_other_hosts(browser, tmp_path):
    (tmp_path / "404.html").touch()
    (tmp_path / "index.html").write_text(
        """<head></head><body><img src="missing.png"><img src="http://127.0.0.1:65500/other.png">
        <script>console.error("a message")</script><script>nowhere.to.be.found</script>"""
    )
    with pytest.raises(AssertionError) as complaints, browser.visit(tmp_path):
        browser.open()
    for complaint in ("missing.png", "127.0.0.1:65500", "a message", "nowhere"):
        assert complaint in str(complaints.value)


def test_next_leads_from_home_to_the_last_stage(reader):
    reader.open()
    for _ in range(8):
        heading = reader.text("h1")
        reader.click("footer a", "Next")
        reader.wait("(before) => document.querySelector('h1').innerText !== before", heading)
    assert reader.text("h1").startswith("Improving by experiment")


def test_search_finds_a_function_and_leads_to_it(reader):
    reader.open("setup/")
    reader.click("input.md-search__input")
    reader.write("zero_grad")
    reader.click("a.md-search-result__link[href*='h=zero_grad#'] h2", "zero_grad")
    reader.wait("""() => {
      const place = document.getElementById(location.hash.slice(1))?.getBoundingClientRect();
      const marks = [...document.querySelectorAll(".md-content mark")];
      return place?.top >= 0 && place.bottom <= innerHeight
        && marks.some((mark) => mark.innerText === "zero_grad");
    }""")


def test_the_copy_button_gives_the_snippet_that_the_page_holds(reader):
    reader.open("workflow/1-data/")
    reader.evaluate("() => document.querySelector('h1').append(document.createElement('textarea'))")
    reader.evaluate("() => document.querySelector('article pre').scrollIntoView()")
    reader.click("pre .md-code__button")
    reader.wait("() => document.querySelector('.md-dialog--active')")
    reader.click("h1 textarea")
    reader.press(Keys.CONTROL, "v")
    pasted = reader.wait("() => document.querySelector('h1 textarea').value")
    assert pasted + "\n" == read_page(ROOT / "docs/workflow/1-data.md").blocks[0].code


def test_a_figure_follows_the_chosen_colors(reader):
    def extremes():
        return reader.picture(FIGURE).convert("L").getextrema()

    reader.open()
    reader.click("button[title$='Switch to light']")
    until(lambda: extremes()[0] < 60 and extremes()[1] > 250, "dark ink on white")
    reader.click("button[title$='Switch to dark']")
    until(lambda: extremes()[0] < 60 and extremes()[1] > 200, "bright ink on black")


def test_the_download_of_a_page_is_a_notebook(reader):
    reader.open("workflow/3-training/")
    address, name = reader.evaluate("""() => {
      const link = document.querySelector("a[download]");
      return [link.href, link.innerText];
    }""")
    text = reader.evaluate("(address) => fetch(address).then((answer) => answer.text())", address)
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert "optimizer.zero_grad()" in "".join(cell.source for cell in notebook.cells)
    assert name.strip() == "Notebook"


def test_a_solution_unfolds_by_click_and_by_keyboard(reader):
    def shown():
        return reader.evaluate("() => document.querySelector('details pre').checkVisibility()")

    reader.open("workflow/3-training/")
    reader.click("summary", "Solution")
    until(shown, "the solution, after a click")
    reader.press(Keys.ENTER)
    until(lambda: not shown(), "the solution to fold, after Enter")
    reader.press(Keys.SPACE)
    until(shown, "the solution, after Space")


def test_the_playground_by_keyboard_gives_the_numbers_of_the_page(reader):
    def values():
        return reader.evaluate(
            "(place) => [...document.querySelectorAll(`${place} dd`)].map((dd) => dd.innerText)",
            PLAYGROUND,
        )

    reader.open("workflow/3-training/")
    row = re.search(r"^MSE, 0\.83\s+(\d+)\s+(\S+)\s+(\S+)\s+(\S+)$", reader.text("article"), re.M)
    steps, *results = map(float, row.groups())
    reader.wait(COME_NEAR, PLAYGROUND)
    reader.focus(f"{PLAYGROUND} select")
    reader.press("M")
    reader.wait("(place) => document.querySelector(place).value === 'MSE'", f"{PLAYGROUND} select")
    reader.focus(f"{PLAYGROUND} .rate input[type=number]")
    reader.press(Keys.CONTROL, "a")
    reader.write("0.83")
    reader.focus(f"{PLAYGROUND} button", "Step")
    for _ in range(int(steps)):
        reader.press(Keys.ENTER)
    until(lambda: float(values()[0]) == steps, f"{steps} steps")
    assert list(map(float, values()[1:])) == pytest.approx(results, abs=5e-5)


def test_the_inspector_reads_what_save_model_wrote(reader, tmp_path):
    torch.manual_seed(42)
    model = LinearRegression()
    save_model(model, tmp_path / "line.safetensors")
    reader.open("workflow/5-saving/")
    reader.wait(COME_NEAR, INSPECTOR)
    reader.choose_file(f"{INSPECTOR} input[type=file]", tmp_path / "line.safetensors")
    reader.wait(f"() => document.querySelector('{INSPECTOR} table')")
    text = reader.text(INSPECTOR)
    assert f"{model.weight.item():.4f}" in text
    assert f"{model.bias.item():.4f}" in text
    assert reader.picture(f"{INSPECTOR} svg").width > 100


def test_formulas_are_laid_out(reader, pages):
    with_formulas = [path for path, html in pages.items() if "<math" in html]
    assert with_formulas
    for path in with_formulas:
        reader.open(path)
        assert reader.evaluate("() => document.querySelectorAll('math').length") > 0
        assert reader.evaluate(BROKEN_FORMULAS) == [], path


def test_no_page_scrolls_sideways_on_a_phone(reader, pages):
    wide = {}
    for path in pages:
        reader.open_narrow(path, 390)
        width, moved = reader.evaluate("() => { scrollTo(999, 0); return [innerWidth, scrollX]; }")
        assert width == 390
        if moved:
            wide[path] = moved
    assert wide == {}


def test_without_scripts_pages_figures_and_solutions_are_there(reader_without_scripts):
    reader = reader_without_scripts
    reader.open("workflow/2-model/")
    reader.click("footer a", "Next")
    reader.wait("() => document.querySelector('h1').innerText.startsWith('Training')")
    assert "JavaScript" in reader.text(PLAYGROUND)
    darkest, lightest = reader.picture(FIGURE).convert("L").getextrema()
    assert darkest < 60 and lightest > 250
    reader.click("summary", "Solution")
    reader.wait("() => document.querySelector('details[open] pre').checkVisibility()")
