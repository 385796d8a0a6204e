"""The collector behind `pytest --codeblocks`: every block of a page is a test."""

import doctest
import functools
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executable_pages.blocks import PageError, Problem
from executable_pages.census import count_in_site
from executable_pages.comparing import Difference, compare
from executable_pages.examples import check_example
from executable_pages.listings import find_examples
from executable_pages.reading import read_page
from executable_pages.running import Result, Run, run_page


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("general").addoption(
        "--census",
        metavar="SITE",
        type=Path,
        help="compare the snippets that ran with those in the built site",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.unregister(name="codeblocks")
    if config.getoption("codeblocks"):
        config.pluginmanager.register(_Report(config.getoption("census")), "census")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "PageFile | None":
    if parent.config.getoption("codeblocks") and file_path.suffix == ".md":
        file: PageFile = PageFile.from_parent(parent, path=file_path)
        return file
    return None


class PageFile(pytest.File):
    """A page; it runs once, when its first block is tested."""

    def collect(self) -> Iterator[pytest.Item]:
        try:
            page = read_page(self.path)
            examples = list(find_examples(page))
        except PageError as error:
            for problem in error.problems:
                yield _item(ProblemItem, self, problem.line, problem)
            return
        self.page = page
        for index, block in enumerate(page.blocks):
            yield _item(BlockItem, self, block.line, index)
        for line, example in examples:
            yield _item(ExampleItem, self, line, example)
        if page.opening or not page.blocks:
            yield _item(OpeningItem, self, 1, None)

    @functools.cached_property
    def run(self) -> Run:
        return run_page(self.page)

    @functools.cached_property
    def differences(self) -> list[tuple[int | None, Difference]]:
        return list(compare(self.run))

    def problems(self, index: int | None) -> list[Problem]:
        return [difference.problem for at, difference in self.differences if at == index]


class UntruePageError(Exception):
    """What a page says that is not so; the message is the whole report."""


class _PageItem(pytest.Item):
    subject: Any
    line: int

    @property
    def file(self) -> PageFile:
        assert isinstance(self.parent, PageFile)
        return self.parent

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, UntruePageError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.line - 1, f"{self.path.name} line {self.line}"


def _item(kind: "type[_PageItem]", parent: PageFile, line: int, subject: Any) -> pytest.Item:
    name = "opening" if kind is OpeningItem else f"line {line}"
    if isinstance(subject, doctest.DocTest):
        name = subject.name
    item: _PageItem = kind.from_parent(parent, name=name)
    item.line, item.subject = line, subject
    return item


class ProblemItem(_PageItem):
    """Something that keeps a page from being read."""

    def runtest(self) -> None:
        raise UntruePageError(str(self.subject))


class OpeningItem(_PageItem):
    """What stands above the first block."""

    def runtest(self) -> None:
        _fail_on(self.file.problems(None))


class ExampleItem(_PageItem):
    """An example of a docstring that the page shows."""

    def runtest(self) -> None:
        if problem := check_example(self.file.page, self.line, self.subject):
            raise UntruePageError(str(problem))


class BlockItem(_PageItem):
    """A snippet, and what the page says of it until the next one."""

    def runtest(self) -> None:
        result = self.file.run.results[self.subject]
        if result.failed_before is not None:
            pytest.skip(f"not run: the snippet at line {result.failed_before} failed before it")
        _fail_on(self.file.problems(self.subject), result.details)
        if result.excused is not None:
            pytest.skip(result.excused)


def _fail_on(problems: list[Problem], details: str = "") -> None:
    if problems:
        raise UntruePageError("\n".join([*map(str, problems), *details.splitlines()]))


class _Report:
    """Counts what ran and, given the built site, compares it with the blocks of each built page."""

    def __init__(self, site: Path | None) -> None:
        self.site = site
        self.run: Counter[Path] = Counter()
        self.excused: dict[Path, list[Result]] = defaultdict(list)
        self.wrong: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        try:
            return (yield)
        finally:
            if isinstance(item, BlockItem):
                result = item.file.run.results[item.subject]
                self.run[item.path] += result.has_run
                self.excused[item.path] += [result] if result.excused else []
            elif isinstance(item, ExampleItem):
                self.run[item.path] += 1

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.site is None:
            return
        built = count_in_site(self.site, self.run)
        self.run = Counter({page: count for page, count in self.run.items() if page in built})
        for page, blocks in built.items():
            run, excused = self.run[page], len(self.excused[page])
            if run + excused != blocks:
                self.wrong.append(f"{page}: {blocks} blocks built, {run} run, {excused} excused")
        self.blocks = sum(built.values())
        if self.wrong and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        excused = [(page, result) for page in self.run for result in self.excused[page]]
        run = sum(self.run.values())
        counted = f"{run} run, {len(excused)} excused"
        if self.site is not None:
            counted = f"{self.blocks} blocks in the built site, {counted}"
        terminalreporter.section("census")
        terminalreporter.line(counted)
        for page, result in excused:
            terminalreporter.line(f"{Problem(page, result.block.line, result.excused or '')}")
        for line in self.wrong:
            terminalreporter.line(line, red=True)
