"""MkDocs hooks: what the built site needs beyond the Markdown, without running a page.

Math becomes MathML, figures get their size, the notebook page is executed by mkdocs-jupyter and
then rendered like every other page, and each page's notebook and the wheel are added as files.
"""

import contextlib
import html
import os
import posixpath
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote, urljoin
from xml.etree import ElementTree

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from executable_pages.blocks import PageError
from executable_pages.notebooks import export
from executable_pages.reading import read_page

log = get_plugin_logger("site")

COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
FENCE = r'<div class="language-[^"]*highlight">(?:(?!<p>).)*?</pre></div>'
# What Python-Markdown makes of comments and a fence that are indented, as in an admonition.
FENCE_IN_PARAGRAPH = re.compile(rf"<p>((?:<!--[^>]*-->\s*)*{FENCE})\s*</p>", re.DOTALL)
SKIPPED = re.compile(
    rf'<!--\s*pytest\.mark\.skip[^>]*reason="([^"]*)"\)\s*-->\s*({FENCE})', re.DOTALL
)
OUTPUT = re.compile(r'<!--pytest-codeblocks:expected-output-->\s*<div class="')
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>'
    r"(?P<after>[.,:;)?]*)",
    re.DOTALL,
)
TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
EXERCISE = re.compile(r'<h3 id="exercise-.*?</h3>', re.DOTALL)
KEPT = (
    '<p class="kept">Your ticks and the place where you stopped are kept in this browser only. '
    '<button type="button" class="forget">Forget both</button> <span role="status"></span></p>'
)
TICK = '<p class="tick"><label><input type="checkbox"> Done</label></p>'
SVG_IMAGE = re.compile(r'<img (?P<before>[^>]*?)src="(?P<src>[^":?#]+\.svg)"(?P<after>[^>]*?) ?/?>')


def on_config(config: MkDocsConfig) -> None:
    """Leave out the style sheet of mkdocstrings: `course.css` has the rules that matter here."""
    config.extra_css.remove("assets/_mkdocstrings.css")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the wheel of `torch_workflow`, and the notebook of each page with snippets but home."""
    pages = [file for file in files.documentation_pages() if file.src_uri != "index.md"]
    wheel_name, wheel = _build_wheel(Path(config.config_file_path).parent)
    files.append(File.generated(config, wheel_name, content=wheel))
    for file in pages:
        try:
            if not read_page(Path(str(file.abs_src_path))).blocks:
                continue
            notebook = export(
                Path(str(file.abs_src_path)),
                wheel_url=urljoin(config.site_url, wheel_name) if config.site_url else None,
                page_url=urljoin(config.site_url, file.url) if config.site_url else None,
            )
        except (PageError, OSError) as error:
            log.warning(f"Doc file '{file.src_uri}' cannot be made a notebook: {error}")
        else:
            files.append(File.generated(config, _notebook_uri(file), content=notebook))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> None:
    """Have mkdocs-jupyter execute a notebook page, then leave the rendering to MkDocs.

    The page's own HTML shows the recorded outputs, with links, headings, admonitions and math like
    those of every other page; mkdocs-jupyter's copy of it is not used.
    """
    jupyter = config.plugins["mkdocs-jupyter"].config
    execute = vars(page).pop("render", None)
    if execute is not None:
        if jupyter["execute"]:
            _run_notebook(page, lambda: execute(config, files))
    elif any(PurePath(page.file.src_uri).match(pattern) for pattern in jupyter["include"]):
        log.warning(
            f"Doc file '{page.file.src_uri}' is listed as a notebook and never runs: "
            "its front matter needs a Python kernelspec under `jupyter:`"
        )


def on_page_content(content: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Drop comments, but say what is output and why a block is not run; MathML, figures' sizes."""
    content = FENCE_IN_PARAGRAPH.sub(r"\1", content)
    content = OUTPUT.sub('<div class="output ', content)
    content = SKIPPED.sub(r'\2\n<p class="not-run">Not run here: \1.</p>', content)
    content = COMMENT.sub("", content)
    content = FORMULA.sub(_mathml, content)
    content = TABLE.sub(r'<div class="table">\g<0></div>', content)
    figures = 0

    def with_size(image: re.Match[str]) -> str:
        nonlocal figures
        url = posixpath.normpath(posixpath.join("/", page.url, image["src"]))
        figure = Path(config.docs_dir, unquote(url).lstrip("/"))
        if not figure.is_file():
            return image[0]
        figures += 1
        width, height = svg_size(figure)
        loading = "eager" if figures == 1 else "lazy"
        return (
            f'<img {image["before"]}src="{image["src"]}"{image["after"]} '
            f'width="{width}" height="{height}" loading="{loading}">'
        )

    return SVG_IMAGE.sub(with_size, content)


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Let a reader tick the exercises; `course.js` keeps the ticks."""
    output = EXERCISE.sub(rf"\g<0>\n{TICK}", output)
    return EXERCISE.sub(rf"{KEPT}\n\g<0>", output, count=1)


def on_page_context(
    context: dict[str, Any], *, page: Page, config: MkDocsConfig, nav: object
) -> dict[str, Any]:
    """Tell the template where the page's notebook is."""
    notebook = _notebook_uri(page.file)
    if Path(config.site_dir, notebook).is_file():
        context["notebook"] = notebook
    return context


def svg_size(path: Path) -> tuple[int, int]:
    """Width and height of an SVG file in CSS pixels, from its root element."""
    _, root = next(ElementTree.iterparse(path, events=["start"]))
    if root.get("width", "").endswith("pt"):
        width, height = (float(root.attrib[name][:-2]) * 4 / 3 for name in ("width", "height"))
    else:
        width, height = map(float, root.attrib["viewBox"].split()[2:])
    return round(width), round(height)


def _notebook_uri(file: File) -> str:
    return posixpath.join(posixpath.dirname(file.dest_uri), f"{file.name}.ipynb")


def _build_wheel(root: Path) -> tuple[str, bytes]:
    from hatchling.build import build_wheel

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(root):
        name: str = build_wheel(folder)
        return name, Path(folder, name).read_bytes()


def _mathml(formula: re.Match[str]) -> str:
    tex = html.unescape(formula["tex"]).strip()
    if formula["tag"] == "div":
        return convert(tex, display="block") + formula["after"]
    # A line must not break between a formula and the punctuation after it.
    return f'<span class="formula">{convert(tex)}{formula["after"]}</span>'


def _run_notebook(page: Page, execute: Callable[[], object]) -> None:
    """Let mkdocs-jupyter execute what a reader downloads, in an empty working directory."""
    original, path = Path(str(page.file.abs_src_path)), os.environ.get("PATH", "")
    log.info(f"Executing notebook '{page.file.src_uri}'")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        notebook = Path(folder, f"{original.stem}.ipynb")
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), path])
        try:
            notebook.write_text(export(original, wheel_url=None, page_url=None), "utf-8")
            page.file.abs_src_path = str(notebook)
            execute()
        except Exception as error:
            raise PluginError(f"Notebook '{page.file.src_uri}' does not run: {error}") from error
        finally:
            page.file.abs_src_path = str(original)
            os.environ["PATH"] = path
