"""What a page says against what its run gave: every difference, and the edit that repairs it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile
from pathlib import Path

from executable_pages.blocks import Image, Number, Page, Problem
from executable_pages.figures import same_figure
from executable_pages.reading import OUTPUT_MARKER
from executable_pages.running import Result, Run

DECIMAL = re.compile(r"(?<![\w.])[-+−]?\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+)(?![\w.])")
ANY_NUMBER = re.compile(r"\s*[-+−]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class LineEdit:
    """Replace the page's lines `first` to `last`, counted from 1; insert if `last < first`."""

    first: int
    last: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class NumberEdit:
    """Replace a bound number's text."""

    number: Number
    text: str


@dataclass(frozen=True)
class FigureEdit:
    """Write a figure's file."""

    path: Path
    svg: str


@dataclass(frozen=True)
class Difference:
    """A problem, and what repairs it unless a person must."""

    problem: Problem
    edit: LineEdit | NumberEdit | FigureEdit | None = None


def compare(run: Run, *, exact: bool = False) -> Iterator[tuple[int | None, Difference]]:
    """Every difference between a page and its run, each with the index of its block.

    A difference above the first block has the index None. Decimal numbers may differ by one unit
    of their last digit, unless `exact` is true.
    """
    comparison = _Comparison(run, str.__eq__ if exact else same_text)
    for index, result in enumerate(run.results):
        for difference in comparison.of_block(result):
            yield index, difference
    for difference in comparison.of_opening():
        yield None, difference


def same_text(shown: str, printed: str) -> bool:
    """Whether two texts are equal, a decimal number within one unit of its last digit.

    Whole numbers are counts and shapes: they must be equal.
    """
    if shown == printed:
        return True
    if DECIMAL.split(shown) != DECIMAL.split(printed):
        return False
    pairs = zip(DECIMAL.findall(shown), DECIMAL.findall(printed), strict=True)
    return all(a == b or _within_a_unit(a, b) for a, b in pairs)


def same_shape(shown: str, printed: str) -> bool:
    """Whether two texts are equal apart from their digits and the white space before them."""
    return ANY_NUMBER.sub("0", shown) == ANY_NUMBER.sub("0", printed)


class _Comparison:
    def __init__(self, run: Run, same: Callable[[str, str], bool]) -> None:
        self.page: Page = run.page
        self.same = same
        self.run = run
        self.drawn: dict[Path, int] = {}
        self.again = f"run `python -m executable_pages update {self._name()}` and review the change"

    def _name(self) -> Path:
        here = Path.cwd()
        path = self.page.path
        return path.relative_to(here) if path.is_relative_to(here) else path

    def of_block(self, result: Result) -> Iterator[Difference]:
        if result.failure is not None:
            yield Difference(result.failure)
        for problem in result.problems:
            yield Difference(problem)
        if result.has_run:
            yield from self.output(result)
            yield from self.listing(result)
            yield from self.figures(result)
        yield from self.numbers(result.numbers)

    def of_opening(self) -> Iterator[Difference]:
        for problem in self.run.problems:
            yield Difference(problem)
        yield from self.numbers(self.run.opening)
        if all(result.has_run or result.excused for result in self.run.results):
            first = self.page.blocks[0].line if self.page.blocks else len(self.page.lines) + 1
            for image in self.page.images:
                if image.line < first and image.is_figure and image.path not in self.drawn:
                    yield self.not_drawn(image)

    def output(self, result: Result) -> Iterator[Difference]:
        block, shown, printed = result.block, result.block.output, result.output
        if printed and not printed.endswith("\n"):
            printed += "\n"
        if shown is None:
            # Shell commands talk while they work; only what a page chooses to show is checked.
            if printed and block.language == "python" and block.role != "check":
                lines = ["", OUTPUT_MARKER, "```text", *printed.splitlines(), "```"]
                edit = LineEdit(block.end + 1, block.end, self.indented(lines, block.indent))
                first = printed.splitlines()[0]
                yield self.repairable(
                    block.line, f"this snippet prints {first!r} and shows no output", edit
                )
        elif not printed:
            above = self.page.lines[shown.first - 2].strip()
            edit = LineEdit(shown.first if above else shown.first - 1, shown.last, ())
            message = "an output is shown, and the snippet prints nothing"
            yield self.repairable(shown.first, message, edit)
        elif not (same_shape if shown.varies else self.same)(shown.text, printed):
            old, new = shown.text.splitlines(), printed.splitlines()
            kept = _keep_noise(old, new, self.same)
            body = shown.last - len(old)
            where = _count_same(old, kept, str.__eq__)
            says = repr(old[where]) if where < len(old) else "nothing more"
            gave = repr(kept[where]) if where < len(kept) else "nothing more"
            edit = LineEdit(body, shown.last - 1, self.indented(kept, block.indent))
            message = f"the output says {says}, this run gave {gave}"
            yield self.repairable(body + where, message, edit)

    def listing(self, result: Result) -> Iterator[Difference]:
        block = result.block
        if result.listing is not None and block.code.rstrip() != result.listing.rstrip():
            lines = result.listing.rstrip().splitlines()
            edit = LineEdit(block.line + 1, block.end - 1, self.indented(lines, block.indent))
            yield self.repairable(
                block.line, f"the listing is not the source of {block.source}", edit
            )

    def figures(self, result: Result) -> Iterator[Difference]:
        block, images = result.block, result.block.images
        if len(images) > len(result.figures):
            elsewhere = [image for image in images if image.path in self.drawn]
            images = [image for image in images if image not in elsewhere]
        if len(images) < len(result.figures):
            message = (
                f"this snippet draws {len(result.figures)} figure(s) and shows {len(images)}: "
                "write ![alt text](figures/name.svg) under it for each"
            )
            yield Difference(Problem(self.page.path, block.line, message))
        for image in images[len(result.figures) :]:
            yield self.not_drawn(image)
        for image, svg in zip(images, result.figures, strict=False):
            name = image.path.name
            if image.path in self.drawn:
                message = (
                    f"two figures have the name {name}, the other one at line "
                    f"{self.drawn[image.path]}: rename one"
                )
                yield Difference(Problem(self.page.path, image.line, message))
                continue
            self.drawn[image.path] = image.line
            edit = FigureEdit(image.path, svg)
            if not image.path.exists():
                yield self.repairable(image.line, f"the figure {name} has no file yet", edit)
            elif not same_figure(image.path.read_text(), svg):
                yield self.repairable(
                    image.line, f"the figure {name} is not what this run draws", edit
                )

    def not_drawn(self, image: Image) -> Difference:
        message = (
            f"the figure {image.path.name} is shown, and no snippet above it draws it: "
            "draw it, or take the image out"
        )
        return Difference(Problem(self.page.path, image.line, message))

    def numbers(self, values: list[tuple[Number, str]]) -> Iterator[Difference]:
        for number, value in values:
            if not self.same(number.text, value):
                message = (
                    f"the text says {number.text}, the expression `{number.expression}` "
                    f"gives {value}"
                )
                yield self.repairable(number.line, message, NumberEdit(number, value))

    def repairable(
        self, line: int, message: str, edit: LineEdit | NumberEdit | FigureEdit
    ) -> Difference:
        return Difference(Problem(self.page.path, line, f"{message}: {self.again}"), edit)

    def indented(self, lines: list[str], indent: str) -> tuple[str, ...]:
        return tuple(indent + line if line else "" for line in lines)


def _within_a_unit(one: str, other: str) -> bool:
    a, b = (Decimal(text.replace("−", "-")) for text in (one, other))
    last = a.as_tuple().exponent
    same_digits = last == b.as_tuple().exponent
    return same_digits and isinstance(last, int) and abs(a - b) <= Decimal(1).scaleb(last)


def _keep_noise(old: list[str], new: list[str], same: Callable[[str, str], bool]) -> list[str]:
    """The new lines, with the old ones kept where they are the same but for rounding."""
    if start := _count_same(old, new, same):
        return old[:start] + _keep_noise(old[start:], new[start:], same)
    if end := _count_same(old[::-1], new[::-1], same):
        return _keep_noise(old[:-end], new[:-end], same) + old[-end:]
    if old and len(old) == len(new):
        return [new[0], *_keep_noise(old[1:], new[1:], same)]
    return new


def _count_same(old: list[str], new: list[str], same: Callable[[str, str], bool]) -> int:
    pairs = zip(old, new, strict=False)
    return len(list(takewhile(lambda pair: same(*pair), pairs)))
