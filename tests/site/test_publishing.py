"""What search engines, link previews and language models read of the site."""

import io
import json
import re
from datetime import date
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from PIL import Image
from project import PAGES, ROOT, address_of

ADDRESS = "https://example.org/"
NAMES = [page.relative_to(ROOT / "docs").with_suffix("").as_posix() for page in PAGES]
META = re.compile(r'<meta (?:name|property)="([^"]+)" content="([^"]*)">')


@pytest.fixture(scope="module")
def heads(site) -> dict[str, str]:
    """The head of each page, by the page's name."""
    found = {}
    for name in NAMES:
        path = site / name.removesuffix("index") / "index.html"
        found[name] = path.read_text().partition("</head>")[0]
    return found


def url_of(name: str) -> str:
    return ADDRESS + address_of(ROOT / "docs" / f"{name}.md")


def test_titles_and_descriptions_are_there_differ_and_fit_a_result_list(heads):
    titles = {re.search("<title>(.*?)</title>", head)[1] for head in heads.values()}
    descriptions = {dict(META.findall(head))["description"] for head in heads.values()}
    assert len(titles) == len(descriptions) == len(PAGES)
    assert all(10 < len(title) < 110 for title in titles), titles
    assert all(50 < len(text) < 200 for text in descriptions), descriptions


@pytest.mark.parametrize("name", NAMES)
def test_a_page_names_its_own_address(heads, name):
    assert f'<link rel="canonical" href="{url_of(name)}">' in heads[name]
    assert dict(META.findall(heads[name]))["og:url"] == url_of(name)


def test_the_sitemap_lists_every_page_once(site):
    locations = ElementTree.parse(site / "sitemap.xml").findall(".//{*}loc")
    assert sorted(place.text for place in locations) == sorted(map(url_of, NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_a_link_preview_has_a_picture_of_its_page(site, heads, name):
    meta = dict(META.findall(heads[name]))
    path = site / urlsplit(meta["og:image"]).path.lstrip("/")
    picture = Image.open(io.BytesIO(path.read_bytes()))
    assert picture.size == (int(meta["og:image:width"]), int(meta["og:image:height"]))
    assert path.stat().st_size < 100_000
    colors = {color for _, color in picture.getcolors(1 << 16)}
    assert {(0x1F, 0x5F, 0xBF), (0xB3, 0x53, 0x0A), (0x1C, 0x24, 0x30)} <= colors
    assert picture.crop((0, 620, 600, 630)).getcolors() == [(6000, (0xFB, 0xFC, 0xFE))]


def test_pictures_differ(site):
    pictures = [path.read_bytes() for path in (site / "assets/previews").rglob("*.png")]
    assert len(set(pictures)) == len(PAGES)


def structured_data(head: str) -> dict:
    return json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', head)[1])


def test_the_home_page_is_a_course_with_all_other_pages_as_its_parts(heads):
    course = structured_data(heads["index"])
    assert course["@type"] == "Course"
    assert {"name", "description", "provider", "offers", "hasCourseInstance"} <= course.keys()
    parts = [part["url"] for part in course["hasPart"]]
    assert sorted(parts) == sorted(url_of(name) for name in NAMES if name != "index")
    read = [part for part in course["hasPart"] if "/reference/" not in part["url"]]
    minutes = [int(part["timeRequired"][2:-1]) for part in read]
    assert course["hasCourseInstance"]["courseWorkload"] == f"PT{sum(minutes)}M"


def test_a_page_to_look_things_up_has_no_time_to_read(heads):
    assert "timeRequired" not in structured_data(heads["reference/data"])


@pytest.mark.parametrize("name", [name for name in NAMES if name != "index"])
def test_another_page_is_a_part_of_the_course(heads, name):
    resource = structured_data(heads[name])
    assert resource["@type"] == "LearningResource"
    assert resource["url"] == url_of(name)
    assert resource["isPartOf"]["url"] == ADDRESS


def test_language_models_find_every_page_in_reading_order(site):
    text = (site / "llms.txt").read_text()
    assert text.startswith("# The PyTorch workflow\n\n> ")
    links = re.findall(r"^- \[(.+?)\]\((.+?)\): (.+)$", text, re.MULTILINE)
    assert len(links) == len(PAGES)
    paths = [urlsplit(address).path.lstrip("/") for _, address, _ in links]
    stages = [path for path in paths if path.startswith("workflow/")]
    assert stages == sorted(stages)
    for path in paths:
        assert (site / path / "index.html" if path.endswith("/") else site / path).is_file()


def test_the_markdown_that_they_read_is_the_source(site):
    name = "workflow/3-training.md"
    assert (site / name).read_text() == (ROOT / "docs" / name).read_text()


def test_a_page_says_where_it_stands_how_long_it_is_and_when_it_was_checked(site):
    html = (site / "workflow/3-training/index.html").read_text()
    place = re.search(r'<p class="place">(.*?)</p>', html, re.DOTALL)[1]
    text = " ".join(re.sub("<[^>]+>", "", place).split())
    checked = json.loads((ROOT / "docs/checked.json").read_text())
    day = date.fromisoformat(checked["date"])
    assert re.fullmatch(
        r"Stage 3 of 7 · \d+ minutes to read · "
        rf"checked with torch {re.escape(checked['packages']['torch'])} on {day:%-d %B %Y}",
        text,
    )
    (here,) = re.findall(r'href="([^"]*)" aria-current="page"', html)
    assert here == "./"


def test_the_pages_were_checked_with_the_torch_that_is_pinned():
    checked = json.loads((ROOT / "docs/checked.json").read_text())
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert f"torch=={checked['packages']['torch']}" in pins


def test_an_unknown_address_leads_to_a_page_that_leads_on(site):
    html = (site / "404.html").read_text()
    assert "There is no page at this address" in html
    for name in ("setup", "workflow/1-data", "help/errors"):
        assert f'<li><a href="/{name}/">' in html
    assert "canonical" not in html
