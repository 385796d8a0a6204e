"""Rewrite on a page what a machine can know, and nothing else."""

import json
import os
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from executable_pages.blocks import PageError, Problem
from executable_pages.comparing import FigureEdit, LineEdit, NumberEdit, compare
from executable_pages.examples import check_example
from executable_pages.listings import find_examples
from executable_pages.reading import read_page
from executable_pages.running import run_page


def update(path: Path, *, exact: bool = False) -> list[str]:
    """Run a page and write what differs: outputs, listings, bound numbers, figures.

    Each file is replaced as a whole or not at all.

    Args:
        path: The page.
        exact: Whether to write decimal numbers anew that differ by one unit of their last digit.

    Returns:
        What was rewritten, a sentence each; nothing for a page that was true.

    Raises:
        PageError: The page cannot be read, its code failed, or something on it needs a person. Then
            nothing has been written.
    """
    page = read_page(path)
    differences = [difference for _, difference in compare(run_page(page), exact=exact)]
    unrepairable = [d.problem for d in differences if d.edit is None]
    if unrepairable:
        raise PageError(unrepairable)
    lines = page.lines[:]
    edits = [difference.edit for difference in differences]
    numbers = [edit for edit in edits if isinstance(edit, NumberEdit)]
    for edit in sorted(numbers, key=lambda e: (e.number.line, e.number.start), reverse=True):
        number, line = edit.number, lines[edit.number.line - 1]
        lines[number.line - 1] = line[: number.start] + edit.text + line[number.end :]
    blocks = [edit for edit in edits if isinstance(edit, LineEdit)]
    for block in sorted(blocks, key=lambda e: e.first, reverse=True):
        lines[block.first - 1 : block.last] = block.lines
    for figure in edits:
        if isinstance(figure, FigureEdit):
            figure.path.parent.mkdir(exist_ok=True)
            write_atomically(figure.path, figure.svg)
    if lines != page.lines:
        write_atomically(page.path, page.newline.join(lines))
    return [str(difference.problem).rpartition(": run `")[0] for difference in differences]


def check(path: Path) -> list[Problem]:
    """Run a page and say what on it is untrue."""
    try:
        page = read_page(path)
        examples = [check_example(page, *example) for example in find_examples(page)]
        return [
            *(difference.problem for _, difference in compare(run_page(page))),
            *filter(None, examples),
        ]
    except PageError as error:
        return error.problems


def record(path: Path, distributions: list[str]) -> None:
    """Write down that all pages were brought up to date today, and with which versions."""
    versions = {name: version(name).partition("+")[0] for name in distributions}
    today = datetime.now(UTC).date().isoformat()
    write_atomically(path, json.dumps({"date": today, "packages": versions}, indent=2) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that it is the old one or the new one, whatever happens."""
    mode = path.stat().st_mode if path.exists() else None
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(temporary).chmod(0o644 if mode is None else mode)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
