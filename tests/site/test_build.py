"""The built site is complete, leads nowhere wrong and asks nothing of another host."""

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from project import DOWNLOADED_PAGES, PAGES, ROOT


class Html(HTMLParser):
    """The start tags of a page, and the targets that a link may name in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(path.read_text())
        names = (attributes.get("id") for _, attributes in self.tags)
        self.anchors = {name for name in names if name}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site): Html(path) for path in site.rglob("*.html")}


def test_every_page_has_been_built(site):
    for page in PAGES:
        name = page.relative_to(ROOT / "docs").with_suffix("")
        folder = name.parent if name.name == "index" else name
        assert (site / folder / "index.html").is_file(), page


def test_nothing_is_loaded_from_another_host(pages):
    loading = ("img", "script", "link", "iframe", "source", "video", "audio", "use", "image")
    for path, html in pages.items():
        for tag, attributes in html.tags:
            target = attributes.get("src") or attributes.get("href") or ""
            if tag in loading and attributes.get("rel") != "canonical":
                address = urlsplit(target)
                assert address.netloc in ("", "example.org"), f"{path}: <{tag}> loads {target}"


def test_styles_and_scripts_load_nothing_from_another_host(site):
    for path in (*site.rglob("course*.css"), *site.rglob("course*.js")):
        assert not re.search(r"(url\(|import|fetch\()\s*[\"']?(https?:)?//", path.read_text()), path


def test_every_link_leads_to_a_page_and_an_anchor_that_exist(site, pages):
    wrong = []
    for path, html in pages.items():
        if path.name == "404.html":
            continue
        for tag, attributes in html.tags:
            link = attributes.get("href", "")
            target = urlsplit(urljoin(f"https://example.org/{path.as_posix()}", link))
            if tag != "a" or not link or target.netloc != "example.org":
                continue
            file = Path(unquote(target.path).lstrip("/"))
            if target.path.endswith("/"):
                file = file / "index.html"
            anchor = unquote(target.fragment)
            if not (site / file).is_file() or (anchor and anchor not in pages[file].anchors):
                wrong.append(f"{path}: {link}")
    assert wrong == []


def test_every_image_has_a_text_and_a_size(pages):
    for path, html in pages.items():
        for tag, attributes in html.tags:
            if tag == "img" and "figures/" in attributes["src"]:
                assert {"alt", "width", "height"} <= attributes.keys(), f"{path}: {attributes}"
                assert len(attributes["alt"]) > 20, f"{path}: {attributes}"


def test_every_page_but_the_first_offers_its_notebook(site, pages):
    for page in DOWNLOADED_PAGES:
        folder = page.relative_to(ROOT / "docs").with_suffix("")
        links = [a.get("href", "") for tag, a in pages[folder / "index.html"].tags if tag == "a"]
        (link,) = {link for link in links if link.endswith(".ipynb")}
        assert (site / folder / link).resolve().is_file()


def test_pages_lead_to_each_other_in_reading_order(site, pages):
    path, visited = Path("index.html"), ["index.html"]
    while True:
        onward = [
            attributes["href"]
            for tag, attributes in pages[path].tags
            if tag == "a" and "md-footer__link--next" in attributes.get("class", "")
        ]
        if not onward:
            break
        path = (site / path.parent / onward[0] / "index.html").resolve().relative_to(site.resolve())
        visited.append(path.as_posix())
    assert len(visited) == len(PAGES)
    assert visited[-1] == "speed/index.html"


def test_the_wheel_holds_the_package_alone(site):
    (wheel,) = site.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "torch_workflow/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"torch_workflow"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_formulas_need_no_script(site):
    html = (site / "workflow/4-evaluation/index.html").read_text()
    assert "<math" in html
    assert "arithmatex" not in html


def test_markers_are_no_part_of_a_built_page(site):
    for path in site.rglob("*/index.html"):
        article = path.read_text().partition("<article")[2].partition("</article>")[0]
        assert "<!--" not in article, path


def test_a_block_that_does_not_run_says_why(site):
    html = (site / "setup/index.html").read_text()
    assert "Not run here: it downloads PyTorch from the package index." in html


COLAB = "https://colab.example.org/github/owner/name/blob/notebooks/"


def copy_of_the_project(folder: Path) -> Path:
    """What the build reads, to break."""
    for name in ("docs", "overrides", "src"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("mkdocs.yml", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def mislinked(build, tmp_path_factory):
    """A build that knows where its repository is, of pages with links that lead nowhere."""
    copy = copy_of_the_project(tmp_path_factory.mktemp("mislinked"))
    with (copy / "docs/setup.md").open("a") as page:
        page.write("\n[a](workflow/nowhere.md) [b](workflow/1-data.md#nowhere)\n")
    with (copy / "docs/workflow/6-together.md").open("a") as page:
        page.write("\n[c](lost.md)\n")
    repository = {"REPO_URL": "https://github.com/owner/name", "EDIT_URI": "edit/main/docs/"}
    return build(copy, copy / "site", **repository, COLAB_BASE=COLAB), copy / "site"


def test_building_everything_but_the_capstone_imports_no_torch(mislinked):
    assert mislinked[0].stdout.splitlines()[-1] == "False"


def test_a_broken_link_or_anchor_fails_the_build(mislinked):
    assert mislinked[0].returncode != 0
    warned = [line for line in mislinked[0].stderr.splitlines() if line.startswith("WARNING")]
    assert len(warned) == 3  # and the repository's settings bring no warning of their own
    for link in ("workflow/nowhere.md", "#nowhere", "lost.md"):
        assert any(link in line for line in warned)


def test_edit_and_colab_links_need_a_repository(site, mislinked):
    page = Path("workflow/1-data/index.html")
    links = [a.get("href", "") for _, a in Html(mislinked[1] / page).tags]
    notebook = "workflow/1-data/1-data.ipynb"
    assert COLAB + notebook in links
    assert (site / notebook).is_file()
    assert "https://github.com/owner/name/edit/main/docs/workflow/1-data.md" in links
    without = [a.get("href", "") for _, a in Html(site / page).tags]
    assert not any("colab" in link or "/edit/" in link for link in without)


def test_a_capstone_that_fails_fails_the_build(build, tmp_path):
    copy = copy_of_the_project(tmp_path)
    path = copy / "docs/workflow/6-together.md"
    path.write_text(path.read_text().replace("```python\n", "```python\n1 / 0\n", 1))
    done = build(copy, copy / "site", EXECUTE_NOTEBOOKS="true")
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr


def test_the_served_site_answers_with_the_home_page():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "mkdocs", "serve", "--quiet", "--dev-addr", address]
    server = subprocess.Popen(
        command, cwd=ROOT, env={"EXECUTE_NOTEBOOKS": "false", "OFFLINE_COPY": "false"}
    )
    try:
        for _ in range(300):
            try:
                home = urllib.request.urlopen(f"http://{address}/").read().decode()
                break
            except OSError:
                time.sleep(0.1)
        assert "<title>" in home
        assert "workflow/1-data/" in home
    finally:
        server.terminate()
        server.wait()
