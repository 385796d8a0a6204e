"""How many snippets there are, on the pages and in the built site, and how many of them run."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from executable_pages.listings import find_examples
from executable_pages.reading import find_pages, read_page

HTML_BLOCK = re.compile(
    r'<(?:div|pre|code)[^>]*class="[^"]*\blanguage-(?:python|pycon|bash|sh|py|shell)\b'
)
# Signatures and sources, which the build takes from the package itself: no snippets.
TAKEN = re.compile(
    r'<div class="[^"]*\bdoc-signature\b.*?</div>|<details class="source">.*?</details>', re.DOTALL
)


@dataclass(frozen=True)
class Census:
    """The Python and shell blocks of a site's pages: all, and those with a reason not to run."""

    folder: Path
    blocks: int
    excused: int

    @property
    def run(self) -> int:
        return self.blocks - self.excused

    def minutes(self, name: str) -> int:
        """Minutes to read the page of that name, from `minutes_to_read`."""
        return minutes_to_read(self.folder / name)

    @staticmethod
    def of_site(page: Path) -> "Census":
        """Count on all pages of the site that a page belongs to."""
        folder = source_folder(page) or page.parent
        pages = [read_page(path) for path in find_pages([folder])]
        blocks = [block for page in pages for block in page.blocks]
        examples = [example for page in pages for example in find_examples(page)]
        excused = [block for block in blocks if block.mark and block.mark.reason]
        return Census(folder, len(blocks) + len(examples), len(excused))


def minutes_to_read(path: Path) -> int:
    """Minutes to read a page at 200 words or 20 lines of code a minute, to the nearest five."""
    page = read_page(path)
    prose = [line for n, line in enumerate(page.lines, start=1) if n not in page.fenced]
    words = len(re.sub(r"<!--.*?-->", "", " ".join(prose)).split())
    lines = sum(len(block.code.splitlines()) for block in page.blocks)
    return 5 * max(1, round((words / 200 + lines / 20) / 5))


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
    return len(HTML_BLOCK.findall(TAKEN.sub("", html.read_text())))
