"""MkDocs hook: all style sheets of the site as one file, so that a page waits for one request."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page

NAME = "assets/site.css"
LINK = re.compile(r'<link rel="stylesheet" href="(?P<up>[^":]*?)(?P<name>assets/[^"]+)">\s*')

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
    texts = [Path(config.site_dir, name).read_text("utf-8") for name in sheets]
    Path(config.site_dir, NAME).write_text("\n".join(texts), "utf-8")


def _with_one_sheet(html: str) -> str:
    links = list(LINK.finditer(html))
    if not links:
        return html
    sheets.update(dict.fromkeys(link["name"] for link in links))
    one = f'<link rel="stylesheet" href="{links[0]["up"]}{NAME}">\n'
    return html[: links[0].start()] + one + LINK.sub("", html[links[0].start() :])
