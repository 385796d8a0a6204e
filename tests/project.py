"""Where the project is, and its pages."""

from pathlib import Path

from executable_pages.reading import find_pages

ROOT = Path(__file__).parents[1]
PAGES = list(find_pages([ROOT / "docs"]))
DOWNLOADED_PAGES = [page for page in PAGES if page.name != "index.md"]
TEACHING_PAGES = [ROOT / "docs" / "setup.md", *sorted(ROOT.glob("docs/workflow/*.md"))]
