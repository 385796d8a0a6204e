"""MkDocs hook: all style sheets of the site as one file, so that a page waits for one request."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page

NAME = "assets/site.css"
LINK = re.compile(r'<link rel="stylesheet" href="(?P<up>[^":]*?)(?P<name>assets/[^"]+)">\s*')

# Two selectors of the theme have a browser restyle a whole article when a class changes anywhere
# above it, or a child comes anywhere within. No table here has a class, so these mean the same,
# but for the space below a table, which is in `course.css`.
QUICKER = {
    "table:not([class])+*": "table+.highlighttable",
    "table:not([class])": "table:not(.highlighttable)",
}

sheets: dict[str, None] = {}  # addresses in the site, in the order in which pages name them


def on_pre_build(*, config: MkDocsConfig) -> None:
    sheets.clear()


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Have a page ask for the one file."""
    return _with_one_sheet(output)


def on_post_template(output: str, *, template_name: str, config: MkDocsConfig) -> str:
    """The same for pages without a source, such as 404.html."""
    return _with_one_sheet(output)


def on_post_build(*, config: MkDocsConfig) -> None:
    """Write the file."""
    text = "\n".join(Path(config.site_dir, name).read_text("utf-8") for name in sheets)
    for selector, quicker in QUICKER.items():
        text = text.replace(selector, quicker)
    Path(config.site_dir, NAME).write_text(text, "utf-8")


def _with_one_sheet(html: str) -> str:
    links = list(LINK.finditer(html))
    if not links:
        return html
    sheets.update(dict.fromkeys(link["name"] for link in links))
    one = f'<link rel="stylesheet" href="{links[0]["up"]}{NAME}">\n'
    return html[: links[0].start()] + one + LINK.sub("", html[links[0].start() :])
