"""The reference has each public name once, with a complete example, and stays light."""

import gzip
import re
from collections import Counter

import pytest
from project import ROOT

import torch_workflow
from executable_pages.listings import find_examples
from executable_pages.reading import find_pages, read_page

PAGES = list(find_pages([ROOT / "docs/reference"]))
NAMES = [f"torch_workflow.{name}" for name in torch_workflow.__all__]


def address(page):
    return "reference/" if page.stem == "index" else f"reference/{page.stem}/"


@pytest.fixture(scope="module")
def html(site):
    """The article of each built reference page, by its address."""
    texts = {address(page): (site / address(page) / "index.html").read_text() for page in PAGES}
    return {
        at: re.search(r"<article.*</article>", text, re.DOTALL)[0] for at, text in texts.items()
    }


def test_each_public_name_is_shown_once_and_nothing_else_is(html):
    headings = re.findall(r'<h2 id="([^"]*)"', "".join(html.values()))
    assert sorted(headings) == NAMES


@pytest.mark.parametrize("name", torch_workflow.__all__)
def test_the_index_has_each_name_with_its_first_line(html, name):
    rows = re.findall(r"<tr.*?</tr>", html["reference/"], re.DOTALL)
    (row,) = [row for row in rows if f'#torch_workflow.{name}"' in row]
    text = " ".join(re.sub(r"<.*?>", "", row).replace("&#39;", "'").split())
    first_line = getattr(torch_workflow, name).__doc__.partition("\n")[0]
    assert text == f"{name} {first_line.replace('`', '')}"


def test_each_public_name_has_one_example():
    examples = [example for page in PAGES for _, example in find_examples(read_page(page))]
    assert sorted(example.name for example in examples) == NAMES


def test_an_example_fits_a_snippet():
    for page in PAGES:
        for _, example in find_examples(read_page(page)):
            lines = [line for part in example.examples for line in part.source.splitlines()]
            assert len(lines) <= 15, example.name
            assert max(map(len, lines)) <= 72, example.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_headings_are_a_title_then_names_then_methods(html, page):
    levels = re.findall(r"<h([1-6])", html[address(page)])
    assert Counter(levels)["1"] == 1
    assert set(levels) <= {"1", "2", "3"}
    assert levels[:2] in (["1"], ["1", "2"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_weighs_less_than_25_kilobytes(site, page):
    assert len(gzip.compress((site / address(page) / "index.html").read_bytes())) < 25_000


def test_a_source_stands_without_the_docstring_above_it(open_page):
    page = open_page("reference/training/")
    sources = page.locator("details.source code").all_text_contents()
    assert any("def fit(" in source and "check_run(" in source for source in sources)
    assert not any("Examples:" in source or "Args:" in source for source in sources)


def test_an_example_is_copied_without_prompts_and_output(open_page):
    page = open_page("reference/data/", permissions=["clipboard-read", "clipboard-write"])
    page.locator(".language-pycon").first.hover()
    page.locator(".language-pycon .md-code__button").first.click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.length > 0)")
    assert page.evaluate("navigator.clipboard.readText()").split("\n") == [
        "from torch_workflow import straight_line",
        "features, labels = straight_line(4)",
        "labels",
    ]


def test_a_page_without_snippets_of_its_own_has_no_notebook(site):
    assert list((site / "reference").rglob("*.ipynb")) == []


def test_the_reference_adds_no_style_sheet_to_the_pages_of_the_course(site):
    assert "mkdocstrings" not in (site / "workflow/1-data/index.html").read_text()
