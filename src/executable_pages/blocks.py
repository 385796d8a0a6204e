"""A page as blocks: its snippets with their outputs and figures, and the numbers in its prose."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, and in one sentence what and what to do."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        path = self.path
        if path.is_relative_to(Path.cwd()):
            path = path.relative_to(Path.cwd())
        return f"{path}:{self.line}: {self.message}"


class PageError(Exception):
    """A page that cannot be read as it stands."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class Output:
    """The fence that shows what a block printed."""

    first: int
    last: int
    text: str
    varies: str | None


@dataclass(frozen=True)
class Image:
    """An image of the page; in a folder `figures/` it is one that a block draws."""

    line: int
    alt: str
    path: Path

    @property
    def is_figure(self) -> bool:
        return self.path.parent.name == "figures"


@dataclass(frozen=True)
class Number:
    """A text in the prose, with the expression that gives it; `line` is the page's, `start` and
    `end` count characters from the beginning of that line."""

    line: int
    start: int
    end: int
    text: str
    expression: str


@dataclass(frozen=True)
class Mark:
    """A pytest mark above a block: `skip`, `skipif` or `xfail`, its arguments as source."""

    line: int
    name: str
    condition: str = "True"
    reason: str = ""
    raises: str = ""


@dataclass
class Block:
    """A snippet; lines count from 1, `line` and `end` are those of its two fences."""

    line: int
    end: int
    indent: str
    language: str
    code: str
    mark: Mark | None = None
    role: str | None = None
    source: str | None = None
    output: Output | None = None
    images: list[Image] = field(default_factory=list)
    numbers: list[Number] = field(default_factory=list)


@dataclass
class Page:
    """A Markdown file, read.

    `opening` holds the numbers above the first block, `fenced` the lines that are no prose.
    """

    path: Path
    lines: list[str]
    newline: str
    blocks: list[Block]
    images: list[Image]
    opening: list[Number]
    fenced: set[int]
