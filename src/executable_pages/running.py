"""A page as results: its snippets, run from top to bottom in one fresh module."""

import contextlib
import functools
import io
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from executable_pages import figures, listings
from executable_pages.blocks import Block, Number, Page, Problem
from executable_pages.census import Census
from executable_pages.isolation import fresh_process, kept_random_state

ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Result:
    """What a block did. At most one of `failure`, `excused` and `failed_before` is set."""

    block: Block
    output: str = ""
    figures: list[str] = field(default_factory=list)
    listing: str | None = None
    numbers: list[tuple[Number, str]] = field(default_factory=list)
    failure: Problem | None = None
    details: str = ""
    excused: str | None = None
    failed_before: int | None = None
    problems: list[Problem] = field(default_factory=list)

    @property
    def has_run(self) -> bool:
        return self.failure is None and self.excused is None and self.failed_before is None


@dataclass
class Run:
    """A page's results, a block each, and the numbers above its first block."""

    page: Page
    results: list[Result]
    opening: list[tuple[Number, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def run_page(page: Page) -> Run:
    """Run a page's blocks in one module named `__main__`, in a scratch folder, as in a new process.

    After the first block that fails, the rest is not run.
    """
    with fresh_process(page) as module:
        return _Runner(page, module).run()


class _Runner:
    def __init__(self, page: Page, module: ModuleType) -> None:
        self.page = page
        self.module = module

    @functools.cached_property
    def census(self) -> Census:
        return Census.of_site(self.page.path)

    def run(self) -> Run:
        run = Run(self.page, [])
        failed: int | None = None
        blocks = iter(self.page.blocks)
        for block in blocks:
            if failed is not None:
                run.results.append(Result(block, failed_before=failed))
                continue
            group = [block]
            if block.role is None:
                run.results.append(self.run_block(block))
            else:
                group += [next(blocks), next(blocks)]
                run.results.extend(self.run_exercise(*group))
            result = run.results[-1]
            result.numbers = self.evaluate(
                [number for block in group for number in block.numbers], result.problems
            )
            failed = next((r.block.line for r in run.results[-len(group) :] if r.failure), None)
        if failed is None:
            run.opening = self.evaluate(self.page.opening, run.problems)
        return run

    def run_block(self, block: Block) -> Result:
        result = Result(block)
        expected: Any = ()
        if mark := block.mark:
            try:
                if mark.name == "xfail":
                    expected = eval(mark.raises, self.namespace())
                    isinstance(None, expected)  # raises if this is no type
                elif eval(mark.condition, self.namespace()):
                    result.excused = mark.reason
                    return result
            except Exception as error:
                self.fail(result, error, mark.line)
                return result
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            try:
                if block.source is not None:
                    self.run_listing(block, result)
                elif block.language == "python":
                    self.execute(block, block.code, self.module.__dict__)
                else:
                    self.run_shell(block)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                if isinstance(error, expected):
                    message = "".join(traceback.format_exception_only(error))
                    printed.write(ANSI.sub("", message))
                else:
                    self.fail(result, error)
            else:
                if mark and mark.name == "xfail":
                    message = f"this block was to raise {mark.raises}, and did not"
                    result.failure = Problem(self.page.path, block.line, message)
        result.output = printed.getvalue()
        result.figures = figures.take_open_figures()
        return result

    def run_listing(self, block: Block, result: Result) -> None:
        assert block.source is not None
        found = listings.find(block.source, self.page.path.parent)
        result.listing = found.text
        if found.file is not None:
            Path(found.file.name).write_text(found.text)
        self.execute(block, found.text, found.namespace)

    def run_shell(self, block: Block) -> None:
        options = ["-eu"] if block.language == "sh" else ["-euo", "pipefail"]
        done = subprocess.run(
            [block.language, *options, "-c", block.code],
            capture_output=True,
            text=True,
            check=False,
        )
        sys.stdout.write(done.stdout)
        if done.returncode:
            raise _ShellError(
                f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()}"
            )

    def run_exercise(self, starter: Block, check: Block, solution: Block) -> list[Result]:
        """The starter must fail its check, the solution pass it, and neither leave a trace."""
        results = [Result(starter), Result(check), Result(solution)]
        with self.put_back_names():
            results[0] = self.run_block(starter)
            if results[0].failure is None:
                checked = self.run_block(check)
                results[1] = self.judge_starter(checked)
        with self.put_back_names():
            results[2] = self.run_block(solution)
            if results[2].failure is None and results[1].failure is None:
                passed = self.run_block(check)
                if passed.failure is not None:
                    results[2].failure = Problem(
                        self.page.path,
                        solution.line,
                        f"the solution does not pass its check: {passed.failure.message}",
                    )
                    results[2].details = passed.details
        return results

    def judge_starter(self, checked: Result) -> Result:
        result = Result(checked.block)
        line = checked.block.line
        if checked.failure is None:
            message = "the unsolved starter passes this check: make it fail until it is solved"
            result.failure = Problem(self.page.path, line, message)
        elif not re.search(r"AssertionError: \S", checked.failure.message):
            message = (
                "the unsolved starter must fail this check by an assertion with a message, "
                f"and it gave {checked.failure.message}"
            )
            result.failure = Problem(self.page.path, checked.failure.line, message)
        return result

    @contextlib.contextmanager
    def put_back_names(self) -> Iterator[None]:
        names = dict(self.module.__dict__)
        with kept_random_state():
            try:
                yield
            finally:
                self.module.__dict__.clear()
                self.module.__dict__.update(names)

    def execute(self, block: Block, code: str, namespace: dict[str, Any]) -> None:
        padded = "\n" * block.line + code
        exec(compile(padded, str(self.page.path), "exec", dont_inherit=True), namespace)

    def evaluate(self, numbers: list[Number], problems: list[Problem]) -> list[tuple[Number, str]]:
        values = []
        for number in numbers:
            try:
                known = {"census": self.census} if "census" in number.expression else {}
                value = eval(number.expression, self.namespace(), known)
                values.append((number, str(value)))
            except Exception as error:
                message = f"the expression `{number.expression}` fails: {_one_line(error)}"
                problems.append(Problem(self.page.path, number.line, message))
        return values

    def namespace(self) -> dict[str, Any]:
        return self.module.__dict__

    def fail(self, result: Result, error: BaseException, line: int | None = None) -> None:
        path = str(self.page.path)
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
        if isinstance(error, SyntaxError) and error.filename == path:
            line = error.lineno
        result.failure = Problem(
            self.page.path,
            line or (frames[-1].lineno if frames else None) or result.block.line,
            _one_line(error),
        )
        below = error.__traceback__
        while below is not None and below.tb_frame.f_code.co_filename != path:
            below = below.tb_next
        result.details = "".join(traceback.format_exception(type(error), error, below))


class _ShellError(Exception):
    pass


def _one_line(error: BaseException) -> str:
    if isinstance(error, (_ShellError, listings.ListingError)):
        return str(error)
    message = "".join(traceback.format_exception_only(error)).strip()
    return ANSI.sub("", message if isinstance(error, SyntaxError) else message.split("\n")[0])
