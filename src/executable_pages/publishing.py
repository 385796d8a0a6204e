"""MkDocs hook: a page's place in the course, and what other programs read of the site.

Search engines and link previews read structured data and a picture of each page; language models
read `llms.txt` and the pages' Markdown. All of these name absolute addresses: they need `site_url`.
"""

import io
import json
import re
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from PIL import Image, ImageDraw, ImageFont

from executable_pages.census import minutes_to_read
from executable_pages.listings import DIRECTIVE

log = get_plugin_logger("publishing")

STAGE = re.compile(r"(?P<number>\d+) (?P<name>.+)")  # the title of a page in the navigation

SIZE = (1200, 630)  # of a picture, in pixels, as previews show them
PAPER, INK, SOFT, LINE, POINT = "#fbfcfe", "#1c2430", "#4d5866", "#1f5fbf", "#b3530a"
FROM, TO = (640, 590), (1150, 330)
POINTS = ((730, 500), (850, 535), (935, 390), (1020, 440), (1105, 300))


def on_env(env: object, *, config: MkDocsConfig, files: Files) -> None:
    """Add the pictures, the Markdown of the pages, and an index of them."""
    if not config.site_url:
        return
    pages = _in_reading_order(files)
    for page in pages:
        for key in ("title", "description"):
            if not page.meta.setdefault(key, ""):
                log.warning(f"Doc file '{page.file.src_uri}' has no `{key}:` in its front matter")
        files.append(File.generated(config, _picture(page), content=draw(page, config.site_name)))
    files.append(File.generated(config, "llms.txt", content=llms_txt(config, pages)))


def on_page_context(
    context: dict[str, Any], *, page: Page, config: MkDocsConfig, nav: Navigation
) -> dict[str, Any]:
    """Tell the template where in the course the page is, how long, and when it was checked."""
    context["minutes"] = _minutes(page)
    siblings = page.parent.children if page.parent else []
    context["stages"] = [
        {"url": other.url, "is_here": other is page, **stage.groupdict()}
        for other in siblings
        if isinstance(other, Page) and (stage := STAGE.fullmatch(str(other.title)))
    ]
    record = Path(config.docs_dir, "checked.json")
    if record.is_file():
        checked = json.loads(record.read_text("utf-8"))
        context["checked"] = checked | {"day": date.fromisoformat(checked["date"])}
    if config.site_url:
        context["picture"] = urljoin(config.site_url, _picture(page))
        context["structured_data"] = structured_data(page, config, nav)
    return context


def on_post_build(*, config: MkDocsConfig) -> None:
    """Publish the Markdown, at its path among the sources: there its links hold."""
    if config.site_url:
        for path in Path(config.docs_dir).rglob("*.md"):
            text = path.read_text("utf-8")
            if not DIRECTIVE.search(text):
                Path(config.site_dir, path.relative_to(config.docs_dir)).write_text(text, "utf-8")


def structured_data(page: Page, config: MkDocsConfig, nav: Navigation) -> dict[str, Any]:
    """The course on its home page, elsewhere a part of it, in the terms of schema.org."""
    site = {"@type": "Organization", "name": config.site_name, "url": config.site_url}
    course = {"@type": "Course", "name": config.site_name, "url": config.site_url}
    if not page.is_homepage:
        return _resource(page) | {"@context": "https://schema.org", "isPartOf": course}
    parts = [other for other in nav.pages if other is not page]
    minutes = sum(map(_minutes, parts))
    return course | {
        "@context": "https://schema.org",
        "description": page.meta["description"],
        "provider": site,
        "inLanguage": "en",
        "isAccessibleForFree": True,
        "offers": {"@type": "Offer", "category": "Free", "price": 0, "priceCurrency": "USD"},
        "hasCourseInstance": {
            "@type": "CourseInstance",
            "courseMode": "Online",
            "courseWorkload": f"PT{minutes}M",
        },
        "hasPart": [_resource(other) for other in parts],
    }


def _resource(page: Page) -> dict[str, Any]:
    minutes = _minutes(page)
    return {
        "@type": "LearningResource",
        "name": page.meta["title"],
        "description": page.meta["description"],
        "url": page.canonical_url,
    } | ({"timeRequired": f"PT{minutes}M"} if minutes else {})


def llms_txt(config: MkDocsConfig, pages: list[Page]) -> str:
    """The pages and what each is about, for language models (llmstxt.org)."""
    lines = [f"# {config.site_name}", "", f"> {config.site_description}", "", "## Pages", ""]
    for page in pages:
        is_complete = not DIRECTIVE.search(page.markdown or "")
        address = urljoin(str(config.site_url), page.file.src_uri if is_complete else page.url)
        lines.append(f"- [{page.meta['title']}]({address}): {page.meta['description']}")
    return "\n".join([*lines, ""])


def draw(page: Page, site_name: str) -> bytes:
    """A PNG picture of a page for link previews: its title over the fitted line."""
    picture = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(picture)
    pen.line((FROM, TO), LINE, width=14)
    for end in (FROM, TO):
        pen.circle(end, 7, LINE)
    for point in POINTS:
        pen.circle(point, 15, POINT)
    title = site_name if page.is_homepage else page.meta["title"]
    pen.text((70, 60), "" if page.is_homepage else site_name, SOFT, ImageFont.load_default(36))
    height = _write(pen, title, at=(70, 120), size=76, width=1060, color=INK)
    _write(pen, page.meta["description"], at=(70, 150 + height), size=32, width=700, color=SOFT)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _write(
    pen: ImageDraw.ImageDraw, text: str, *, at: tuple[int, int], size: int, width: int, color: str
) -> int:
    """Write a text in lines that fit a width, and say how high it is."""
    font = ImageFont.load_default(size)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    pen.multiline_text(at, "\n".join(lines), color, font, spacing=size // 4)
    return len(lines) * size * 5 // 4


def _in_reading_order(files: Files) -> list[Page]:
    pages = [file.page for file in files.documentation_pages() if file.page]
    page = next((page for page in pages if page.is_homepage), None)
    ordered = []
    while page:
        ordered.append(page)
        page = page.next_page
    return ordered


def _minutes(page: Page) -> int:
    """The minutes to read a page; none for one that is made from docstrings, to look things up."""
    if DIRECTIVE.search(page.markdown or ""):
        return 0
    return minutes_to_read(Path(str(page.file.abs_src_path)))


def _picture(page: Page) -> str:
    return f"assets/previews/{page.file.src_uri.removesuffix('.md')}.png"
