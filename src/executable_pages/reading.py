"""Reads a page with pytest-codeblocks' parser, and refuses what would be skipped in silence."""

import ast
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_codeblocks.main import CodeBlock, extract_from_buffer

from executable_pages.blocks import Block, Image, Mark, Number, Output, Page, PageError, Problem

RUNNABLE = ("python", "bash", "sh")
LOOKALIKES = {
    **dict.fromkeys(("py", "py3", "python3", "pycon", "ipython", "ipython3", "doctest"), "python"),
    **dict.fromkeys(("shell", "console", "zsh", "shell-session", "terminal"), "bash"),
}
EXERCISE = ("starter", "check", "solution")

OUTPUT_MARKER = "<!--pytest-codeblocks:expected-output-->"
FENCE = re.compile(r"(\s*)(`{3,})(.*)")
SKIPPED_FENCE = re.compile(r"\s*(~~~|(?:(?:[-*+>]|\d+[.)])\s*)+(?:```|~~~))")
LANGUAGE = re.compile(r"\{?\s*\.?([^\s{},=]*)")
SPAN_OR_COMMENT = re.compile(r"(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)|<!--(?P<comment>.*?)-->")
IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<target>[^)\s]*)[^)]*\)")
NUMBER_BEFORE = re.compile(
    r"(?:`(?P<span>[^`]+)`|(?P<number>[-+−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?%?))$"
)


def read_page(path: Path) -> Page:
    """Read a page's blocks with pytest-codeblocks' parser, and what stands around them.

    Raises:
        PageError: Something on the page would be skipped in silence or cannot be understood.
    """
    path = path.resolve()
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        problem = Problem(path, 1, f"this page is not UTF-8 ({error}): save it as UTF-8")
        raise PageError([problem]) from error
    newline = "\r\n" if "\r\n" in text else "\n"
    return _Reader(path, text.replace("\r\n", "\n").split("\n"), newline).read()


def find_pages(paths: Iterable[Path]) -> Iterator[Path]:
    """The Markdown files among the paths, folders searched, in reading order."""
    for path in paths:
        yield from sorted(path.rglob("*.md")) if path.is_dir() else [path]


@dataclass(frozen=True)
class _Fence:
    first: int
    last: int
    indent: str
    language: str


class _Reader:
    """Walks down a page once, from fence to prose to fence."""

    def __init__(self, path: Path, lines: list[str], newline: str) -> None:
        self.page = Page(path, lines, newline, [], [], [], set())
        self.problems: list[Problem] = []
        self.snippets: dict[int, CodeBlock] = {}
        self.unreadable = ""
        self.waiting: dict[str, tuple[int, str]] = {}
        self.latest: Block | None = None

    def read(self) -> Page:
        lines, number = self.page.lines, 1
        fences = {fence.first: fence for fence in self.find_fences()}
        try:
            buffer = io.StringIO("\n".join(lines))
            parsed = extract_from_buffer(buffer, max_num_lines=len(lines) + 2)
            self.snippets = {snippet.lineno: snippet for snippet in parsed}
        except RuntimeError as error:
            self.unreadable = f"pytest-codeblocks cannot read this page: {error}"
        while number <= len(lines):
            if number in fences:
                self.read_fence(fences[number])
                self.page.fenced.update(range(number, fences[number].last + 1))
                number = fences[number].last
            elif lines[number - 1].strip():
                self.read_prose(number, lines[number - 1])
            number += 1
        self.drop_waiting()
        self.check_exercises()
        if self.unreadable and not self.problems:
            self.problem(1, self.unreadable)
        if self.problems:
            raise PageError(self.problems)
        return self.page

    def problem(self, line: int, message: str) -> None:
        self.problems.append(Problem(self.page.path, line, message))

    def find_fences(self) -> Iterator[_Fence]:
        opening: tuple[int, re.Match[str]] | None = None
        for number, line in enumerate(self.page.lines, start=1):
            if opening is None:
                if found := FENCE.match(line):
                    opening = number, found
            elif line.lstrip().startswith(opening[1][2]):
                indent, _, info = opening[1].groups()
                language = LANGUAGE.match(info.strip())
                yield _Fence(opening[0], number, indent, language[1] if language else "")
                opening = None
        if opening is not None:
            self.problem(opening[0], "this fence is never closed: end it with a line of backticks")

    def read_fence(self, fence: _Fence) -> None:
        language = fence.language
        if "output" in self.waiting:
            self.attach_output(fence)
        elif language in RUNNABLE:
            self.add_block(fence)
        else:
            self.drop_waiting()
            self.latest = None
            written = LOOKALIKES.get(language.lower(), language.lower())
            if not language:
                self.problem(
                    fence.first, "this fence names no language: write python, bash or text"
                )
            elif written in RUNNABLE:
                self.problem(
                    fence.first, f"a `{language}` fence would not run: write `{written}` instead"
                )

    def add_block(self, fence: _Fence) -> None:
        if fence.first in self.snippets:
            code = self.snippets[fence.first].code
        else:
            code = ""
            self.unreadable = f"pytest-codeblocks does not see the fence at line {fence.first}"
        block = Block(fence.first, fence.last, fence.indent, fence.language, code)
        if "mark" in self.waiting:
            block.mark = self.read_mark(*self.waiting.pop("mark"))
        if "exercise" in self.waiting:
            line, block.role = self.waiting.pop("exercise")
            if block.role not in EXERCISE or fence.language != "python":
                self.problem(line, f"an exercise has Python fences for {', '.join(EXERCISE)}")
        if "source" in self.waiting:
            line, block.source = self.waiting.pop("source")
            if fence.language != "python":
                self.problem(line, "a source listing stands in a `python` fence")
        self.drop_waiting()
        self.latest = block
        self.page.blocks.append(block)

    def read_mark(self, line: int, source: str) -> Mark | None:
        try:
            call = ast.parse(source, mode="eval").body
            if not isinstance(call, ast.Call):
                raise ValueError("it has no arguments")
            name = ast.unparse(call.func).removeprefix("pytest.mark.")
            given = {str(argument.arg): argument.value for argument in call.keywords}
            reason = ast.literal_eval(given["reason"]) if "reason" in given else ""
            if name in ("skip", "skipif") and not str(reason).strip():
                raise ValueError("it gives no reason")
            if name == "skip":
                return Mark(line, name, reason=reason)
            if name == "skipif":
                return Mark(line, name, condition=ast.unparse(call.args[0]), reason=reason)
            if name == "xfail":
                return Mark(line, name, raises=ast.unparse(given["raises"]))
            raise ValueError("only skip, skipif and xfail are known")
        except (SyntaxError, ValueError, KeyError, IndexError) as error:
            detail = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            self.problem(
                line,
                f'the mark `{source}` cannot be used, {detail}: write skip(reason="…"), '
                'skipif(condition, reason="…") or xfail(raises=Type, strict=True)',
            )
            return None

    def attach_output(self, fence: _Fence) -> None:
        line, _ = self.waiting.pop("output")
        first, varies = self.waiting.pop("varies", (line, None))
        if self.latest is None or self.latest.output is not None:
            self.problem(line, "this output has no block: put it under the snippet that prints it")
            return
        body = self.page.lines[fence.first : fence.last - 1]
        text = "".join(remove_indent(line, fence.indent) + "\n" for line in body)
        self.latest.output = Output(first, fence.last, text, varies)

    def read_prose(self, number: int, line: str) -> None:
        if SKIPPED_FENCE.match(line):
            self.problem(
                number,
                "a fence that begins here would not run: "
                "use backticks, at the beginning of a line of its own",
            )
        visible = list(line)
        for found in SPAN_OR_COMMENT.finditer(line):
            if found["comment"] is not None:
                self.read_comment(number, line, found)
            visible[found.start() : found.end()] = " " * len(found[0])
        rest = "".join(visible)
        if "<!--" in rest:
            self.problem(number, "this comment does not end on its line: close it with -->")
        if "<img" in rest:
            self.problem(number, "this image cannot be checked: write it as ![alt text](path)")
        for found in IMAGE.finditer(rest):
            self.read_image(number, line[found.start("alt") : found.end("alt")], found["target"])
        if rest.strip():
            self.drop_waiting()

    def read_comment(self, number: int, line: str, found: re.Match[str]) -> None:
        comment = found["comment"].strip()
        keyword, _, argument = (part.strip() for part in comment.partition(":"))
        if comment.startswith("="):
            self.read_number(number, line, found.start(), comment.removeprefix("=").strip())
        elif comment == "pytest-codeblocks:expected-output":
            self.waiting["output"] = number, ""
        elif comment.startswith("pytest.mark."):
            self.waiting["mark"] = number, comment
        elif keyword in ("source", "exercise", "varies") and argument:
            self.waiting[keyword] = number, argument
        elif comment not in ("#region", "#endregion"):
            self.problem(
                number,
                f"the marker `{comment}` is unknown: known are `= expression`, `source:`, "
                "`exercise:`, `varies:`, `pytest-codeblocks:expected-output` and `pytest.mark.…`",
            )

    def read_number(self, number: int, line: str, end: int, expression: str) -> None:
        before = NUMBER_BEFORE.search(line, endpos=end)
        if before is None or not expression:
            self.problem(
                number,
                "a bound number is written `0.5<!-- = expression -->`: "
                "a number or a code span, directly before the comment",
            )
            return
        group = "span" if before["span"] is not None else "number"
        bound = Number(number, before.start(group), before.end(group), before[group], expression)
        blocks = self.page.blocks
        (blocks[-1].numbers if blocks else self.page.opening).append(bound)

    def read_image(self, number: int, alt: str, target: str) -> None:
        if not re.search(r"\w", alt):
            self.problem(number, f"the image {target} has no alt text: say what a reader would see")
        if "://" in target:
            self.problem(number, f"the image {target} is on another host: keep a copy here")
            return
        image = Image(number, alt, (self.page.path.parent / target).resolve())
        self.page.images.append(image)
        if image.is_figure and self.page.blocks:
            self.page.blocks[-1].images.append(image)
        elif not image.is_figure and not image.path.exists():
            self.problem(number, f"the image {target} does not exist")

    def drop_waiting(self) -> None:
        for name, (line, _) in self.waiting.items():
            self.problem(
                line, f"this {name} marker stands above no snippet: put it above its fence"
            )
        self.waiting.clear()

    def check_exercises(self) -> None:
        roles = [(block.line, block.role) for block in self.page.blocks if block.role]
        while roles:
            if tuple(role for _, role in roles[:3]) != EXERCISE:
                self.problem(
                    roles[0][0], "an exercise has a starter, a check and a solution, in this order"
                )
                return
            del roles[:3]


def remove_indent(line: str, indent: str) -> str:
    """A line of a fence without the white space that its opening line begins with."""
    spaces = len(line) - len(line.lstrip())
    return line[min(spaces, len(indent)) :]
