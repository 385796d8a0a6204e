"""A page as a Jupyter notebook that runs as it is: prose, snippets, outputs and figures."""

import base64
import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from executable_pages import figures
from executable_pages.blocks import Block, Page
from executable_pages.reading import IMAGE, read_page, remove_indent

INSTALL = """\
# Installs the course's package, and what its pages use, where something is missing.
import importlib.util
import subprocess
import sys

needed = ("torch_workflow", "matplotlib", "tqdm", "torchmetrics", "tensorboard")
if not all(map(importlib.util.find_spec, needed)):
    wheel = "torch-workflow[course] @ {wheel_url}"
    subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", wheel])"""

MISSING = """\
# Says what to do where the course's package is missing.
import importlib.util

if importlib.util.find_spec("torch_workflow") is None:
    raise ModuleNotFoundError("install torch_workflow as the course's setup page shows")"""

COMMENT = re.compile(r"<!--.*?-->")
CONTAINER = re.compile(
    r'(?P<indent>\s*)(?P<kind>!!!|\?\?\?\+?|===)\s*(?P<type>[\w-]*)\s*(?:"(?P<title>.*)")?'
)
ATTRIBUTES = re.compile(r"\s*\{:?\s*[#.\w][^}`]*\}\s*$")
PAGE_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!\w+://)([^)#\s]*)(#[^)\s]*)?\)")


def export(path: Path, *, wheel_url: str | None, page_url: str | None) -> str:
    """Make a page's notebook without running anything.

    Args:
        path: The Markdown file.
        wheel_url: Where the first cell installs the course's package from; where it is not known,
            the cell says what to do instead.
        page_url: The page's address, which its links become relative to; where it is not known,
            links to other pages become plain text.

    Returns:
        The notebook's JSON, the same for the same page.
    """
    cells = _Cells(read_page(path), page_url).make()
    install = INSTALL.format(wheel_url=wheel_url) if wheel_url else MISSING
    notebook = new_notebook(
        cells=[new_code_cell(install), *cells],
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    nbformat.validate(notebook)
    return f"{nbformat.writes(notebook)}\n"


class _Cells:
    """Walks down a page and collects cells; solutions are set aside for the end."""

    def __init__(self, page: Page, page_url: str | None) -> None:
        self.page = page
        self.page_url = page_url
        self.cells: list[Any] = []
        self.prose: list[str] = []
        self.attachments: dict[str, dict[str, str]] = {}
        self.containers: list[tuple[int, str]] = []

    def make(self) -> list[Any]:
        blocks = {block.line: block for block in self.page.blocks}
        outputs = [block.output for block in self.page.blocks if block.output]
        output_end = {output.first: output.last for output in outputs}
        figure_lines = {image.line for block in self.page.blocks for image in block.images}
        skipped = self.solution_lines()
        number = self.first_line()
        while number <= len(self.page.lines):
            block = blocks.get(number)
            if number in skipped:
                pass
            elif block is not None:
                self.add_block(block)
                number = block.end
            elif number in output_end:
                number = output_end[number]
            else:
                self.add_prose(number, drop_image=number in figure_lines)
            number += 1
        self.add_solutions()
        self.end_prose()
        return self.cells

    def first_line(self) -> int:
        lines = self.page.lines
        if lines[0] == "---" and "---" in lines[1:]:
            return lines.index("---", 1) + 2
        return 1

    def solution_lines(self) -> set[int]:
        """The folded elements that hold solutions, from `<details` to `</details>`."""
        lines: set[int] = set()
        for block in self.page.blocks:
            if block.role == "solution":
                first, last = self.folded(block)
                lines.update(range(first, last + 1))
        return lines

    def folded(self, block: Block) -> tuple[int, int]:
        first, last = block.line, block.end
        while first > 1 and not self.page.lines[first - 1].lstrip().startswith(("<details", "???")):
            first -= 1
        while last < len(self.page.lines) and "</details>" not in self.page.lines[last - 1]:
            last += 1
        return first, last

    def add_block(self, block: Block) -> None:
        if block.mark is not None and block.mark.reason:
            self.prose += ["", f"```{block.language}", *block.code.splitlines(), "```", ""]
            self.prose += [f"*Not run here: {block.mark.reason}.*", ""]
        elif block.source is not None and not block.source.endswith(".py"):
            self.prose += ["", "```python", *block.code.splitlines(), "```", ""]
        else:
            self.end_prose()
            self.cells.append(self.code_cell(block))

    def code_cell(self, block: Block) -> Any:
        code = block.code.rstrip("\n")
        if block.source is not None:
            code = f"%%writefile {Path(block.source).name}\n{code}"
        elif block.language != "python":
            code = _shell_cell(code)
        fails = block.role == "check" or (block.mark is not None and block.mark.name == "xfail")
        cell = new_code_cell(code, metadata={"tags": ["raises-exception"]} if fails else {})
        if block.output is not None:
            cell.outputs.append(new_output("stream", name="stdout", text=block.output.text))
        for image in block.images:
            svg = figures.for_paper(image.path.read_text())
            data = {"image/svg+xml": svg, "text/plain": image.alt}
            cell.outputs.append(new_output("display_data", data=data))
        return cell

    def add_prose(self, number: int, drop_image: bool) -> None:
        line = self.page.lines[number - 1]
        if number in self.page.fenced:
            self.prose.append(line)
            return
        if drop_image:
            line = IMAGE.sub("", line)
            if not line.strip():
                return
        if line.strip() and not COMMENT.sub("", line).strip():
            return
        line = COMMENT.sub("", line).replace('<details markdown="1">', "<details>")
        line = ATTRIBUTES.sub("", line)
        line = PAGE_LINK.sub(self.link, IMAGE.sub(self.attach, line))
        self.prose.append(self.contained(line))

    def contained(self, line: str) -> str:
        """A line of an admonition as a quote, of a tab as plain text under its title."""
        if not line.strip():
            return ""
        indent = len(line) - len(line.lstrip())
        while self.containers and indent < self.containers[-1][0]:
            self.containers.pop()
        prefix = "".join(mark for _, mark in self.containers)
        inner = remove_indent(line, " " * (self.containers[-1][0] if self.containers else 0))
        if found := CONTAINER.fullmatch(line):
            is_tab = found["kind"] == "==="
            self.containers.append((len(found["indent"]) + 4, "" if is_tab else "> "))
            title = found["title"] or found["type"].capitalize()
            return f"{prefix}**{title}**" if is_tab else f"{prefix}> **{title}**"
        if (
            prefix
            and self.prose[-2:-1]
            and self.prose[-2].startswith(prefix)
            and not self.prose[-1]
        ):
            self.prose[-1] = prefix.rstrip()
        return prefix + inner

    def link(self, found: re.Match[str]) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        if self.page_url is None:
            return text
        # Every page but an index is a folder of its own on the site.
        target = re.sub(r"(^|/)index\.md$", r"\1", target)
        target = re.sub(r"\.md$", "/", target)
        if found[2] and self.page.path.name != "index.md":
            target = f"../{target}"
        return f"[{text}]({urljoin(self.page_url, target)}{anchor})"

    def attach(self, found: re.Match[str]) -> str:
        path = (self.page.path.parent / found["target"]).resolve()
        svg = figures.for_paper(path.read_text())
        self.attachments[path.name] = {"image/svg+xml": base64.b64encode(svg.encode()).decode()}
        return f"![{found['alt']}](attachment:{path.name})"

    def add_solutions(self) -> None:
        blocks = self.page.blocks
        solutions = [(i, block) for i, block in enumerate(blocks) if block.role == "solution"]
        if solutions:
            self.prose += ["", "## Solutions", ""]
        for count, (index, block) in enumerate(solutions, start=1):
            first, last = self.folded(block)
            self.prose += [f"### Exercise {count}", ""]
            for number in (*range(first + 1, block.line), *range(block.end + 1, last)):
                if "<summary>" not in self.page.lines[number - 1]:
                    self.add_prose(number, drop_image=True)
            self.end_prose()
            self.cells += [
                self.code_cell(block),
                new_code_cell(blocks[index - 1].code.rstrip("\n")),
            ]

    def end_prose(self) -> None:
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(self.prose)).strip()
        if text:
            extra = {"attachments": self.attachments} if self.attachments else {}
            self.cells.append(new_markdown_cell(text, **extra))
        self.prose, self.attachments = [], {}


def _shell_cell(code: str) -> str:
    commands = code.replace("\\\n", " ").splitlines()
    if any(line.startswith((" ", "\t")) or "<<" in line for line in commands):
        return f"%%bash\n{code}"
    return "\n".join(
        line if not line.strip() or line.startswith("#") else f"!{re.sub(r' {2,}', ' ', line)}"
        for line in commands
    )
