"""Where the project is, and its pages."""

from pathlib import Path

from executable_pages.listings import DIRECTIVE
from executable_pages.reading import find_pages, read_page

ROOT = Path(__file__).parents[1]
PAGES = list(find_pages([ROOT / "docs"]))
DOWNLOADED_PAGES = [p for p in PAGES if p.name != "index.md" and read_page(p).blocks]
TEACHING_PAGES = [ROOT / "docs" / "setup.md", *sorted(ROOT.glob("docs/workflow/*.md"))]
WRITTEN_PAGES = [p for p in PAGES if not DIRECTIVE.search(p.read_text())]  # others: from docstrings


def address_of(page: Path) -> str:
    """Where a page is, seen from the site's root."""
    name = page.relative_to(ROOT / "docs").with_suffix("").as_posix()
    return name.removesuffix("index") if name.endswith("index") else f"{name}/"
