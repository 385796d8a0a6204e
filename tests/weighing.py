"""What a first visit to a page costs, and the same text as a bare page of the theme."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser
from project import ROOT, address_of
from serving import compressed

CONFIG = """
site_name: Bare
theme: {name: material, font: false}
plugins: [search]
markdown_extensions:
  [admonition, attr_list, md_in_html, tables, pymdownx.details, pymdownx.highlight,
   pymdownx.superfences, {pymdownx.tabbed: {alternate_style: true}}]
"""


def build_bare(pages: list[Path], folder: Path) -> Path:
    """A site with the text of the pages, made by the theme alone."""
    docs = folder / "docs"
    shutil.copytree(ROOT / "docs", docs, ignore=shutil.ignore_patterns("*.md"))
    for page in pages:
        target = docs / page.relative_to(ROOT / "docs")
        target.write_text(re.sub("<!--.*?-->", "", page.read_text(), flags=re.DOTALL))
    (folder / "mkdocs.yml").write_text(CONFIG)
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "site"


@dataclass(frozen=True)
class Visit:
    """The first visit to a page: bytes as sent, compressed, by address, and what blocks drawing."""

    sizes: dict[str, int]
    blocking: list[str]

    @property
    def total(self) -> int:
        return sum(self.sizes.values())

    @property
    def without_figures(self) -> int:
        """Bytes without figures, and without the search index, which grows with the site."""
        own = ("/figures/", "search_index.json")
        return sum(size for url, size in self.sizes.items() if not any(o in url for o in own))


def size_of(file: Path) -> int:
    """Bytes of a file as it is sent."""
    return len(compressed(file.read_bytes()))


def index_of(page: Path, bare: Path) -> int:
    """Bytes of the search index of a bare site that has this page alone; it comes with a visit."""
    index = json.loads((bare / "search/search_index.json").read_text())
    address = address_of(page)
    own = [doc for doc in index["docs"] if doc["location"].partition("#")[0] == address]
    return len(compressed(json.dumps(index | {"docs": own}).encode()))


def visit(browser: Browser, address: str) -> Visit:
    """Open a page with an empty cache, and wait until it asks for nothing more."""
    context = browser.new_context(viewport={"width": 1350, "height": 900})
    page = context.new_page()
    requests = []
    page.on("requestfinished", lambda request: requests.append(request))
    page.goto(address, wait_until="networkidle")
    sizes = {
        request.url: int(request.response().header_value("content-length")) for request in requests
    }
    blocking = page.evaluate(
        "performance.getEntriesByType('resource')"
        ".filter((entry) => entry.renderBlockingStatus === 'blocking').map((entry) => entry.name)"
    )
    context.close()
    return Visit(sizes, blocking)
