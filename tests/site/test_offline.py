"""The zip file of the site, unpacked into a folder and opened in a browser from there."""

import re
import zipfile

import pytest
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def folder(site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(site / "offline.zip").extractall(folder)
    (top,) = folder.iterdir()
    return top


@pytest.fixture
def open_file(chromium, folder):
    """Opens a page of the folder; complains like `open_page` about what goes wrong there."""
    complaints = []
    context = chromium.new_context()
    page = context.new_page()
    page.on("console", lambda message: complaints.append(f"{page.url}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    schemes = {"file", "data", "blob", "about"}
    page.on(
        "request",
        lambda request: (
            None
            if request.url.partition(":")[0] in schemes
            else complaints.append(f"asks {request.url}")
        ),
    )

    def open_file(name: str):
        page.goto((folder / name).as_uri())
        return page

    yield open_file
    context.close()
    assert complaints == []


def test_a_reader_gets_from_the_first_page_to_the_next(open_file):
    page = open_file("index.html")
    page.get_by_role("link", name="Next: Setup").click()
    expect(page).to_have_title("Setup - The PyTorch workflow")


def test_search_works_without_a_server(open_file):
    page = open_file("workflow/1-data.html")
    page.get_by_role("textbox", name="Search").first.click()
    page.keyboard.type("zero_grad")
    page.locator(".md-search-result__link[href*='#no-zero_grad']").click()
    expect(page).to_have_title("Errors you will meet - The PyTorch workflow")


def test_figures_follow_the_palette(open_file):
    page = open_file("workflow/1-data.html")
    figure = page.locator("article img").first
    before = figure.screenshot()
    page.evaluate("document.body.dataset.mdColorScheme = 'slate'")
    expect(figure).to_have_attribute("src", re.compile("#dark$"))
    assert figure.screenshot() != before


@pytest.mark.parametrize(
    ("name", "widget"),
    [("workflow/3-training.html", "playground"), ("workflow/5-saving.html", "inspector")],
)
def test_things_to_play_with_work(open_file, name, widget):
    page = open_file(name)
    place = page.locator(f"[data-widget={widget}]")
    place.scroll_into_view_if_needed()
    expect(place).to_have_attribute("data-mounted", "")


def test_the_copy_offers_no_copy_of_itself(folder):
    assert not list(folder.rglob("*.zip"))
    assert "offline.zip" not in (folder / "index.html").read_text()


def test_the_site_offers_the_copy_on_every_page(site):
    for path in site.rglob("index.html"):
        assert 'offline.zip" download' in path.read_text(), path
