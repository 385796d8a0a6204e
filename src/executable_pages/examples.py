"""Runs the examples of docstrings that a page shows, and compares what they print."""

import doctest

from executable_pages.blocks import Page, Problem
from executable_pages.comparing import same_text
from executable_pages.isolation import fresh_process


def check_example(page: Page, line: int, example: doctest.DocTest) -> Problem | None:
    """Run an example in a scratch folder, as in a new process, and say what in it is untrue."""
    report: list[str] = []
    with fresh_process(page):
        doctest.DocTestRunner(_Checker()).run(example, out=report.append)
    if not report:
        return None
    message = f"the example of {example.name} is untrue, correct its docstring\n{''.join(report)}"
    return Problem(page.path, line, message)


class _Checker(doctest.OutputChecker):
    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return same_text(want, got) or super().check_output(want, got, optionflags)
