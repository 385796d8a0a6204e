"""How many snippets there are, on the pages and in the built site, and how many of them run."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from executable_pages.blocks import find_pages, read_page

HTML_BLOCK = re.compile(
    r'<(?:div|pre|code)[^>]*class="[^"]*\blanguage-(?:python|bash|sh|py|shell)\b'
)


@dataclass(frozen=True)
class Census:
    """The Python and shell blocks of a site's pages: all, and those with a reason not to run."""

    blocks: int
    excused: int

    @property
    def run(self) -> int:
        return self.blocks - self.excused

    @staticmethod
    def of_site(page: Path) -> "Census":
        """Count on all pages of the site that a page belongs to."""
        folder = source_folder(page)
        pages = find_pages([folder]) if folder else [page]
        blocks = [block for path in pages for block in read_page(path).blocks]
        excused = [block for block in blocks if block.mark and block.mark.reason]
        return Census(len(blocks), len(excused))


def source_folder(page: Path) -> Path | None:
    """The folder of the site that a page belongs to: the one that stands beside `mkdocs.yml`."""
    return next((f for f in page.resolve().parents if (f.parent / "mkdocs.yml").exists()), None)


def count_in_site(site: Path, pages: Iterable[Path]) -> dict[Path, int]:
    """The Python and shell blocks of a built site, by page where one of the pages is its source.

    A built page of another source counts under its HTML file, if it has any blocks.
    """
    sources = {}
    for page in pages:
        if folder := source_folder(page):
            name = page.relative_to(folder).with_suffix("")
            at = name.parent if name.name in ("index", "README") else name
            sources[(site / at / "index.html").resolve()] = page
    counts = {sources.get(html.resolve(), html): _count(html) for html in site.rglob("*.html")}
    return {page: count for page, count in counts.items() if count or page in sources.values()}


def _count(html: Path) -> int:
    return len(HTML_BLOCK.findall(html.read_text()))
