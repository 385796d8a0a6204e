"""What a page takes from a package: listings of source, and the examples of docstrings."""

import doctest
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executable_pages.blocks import Page, PageError, Problem

DIRECTIVE = re.compile(r"^::: ([\w.]+)", re.MULTILINE)
EXAMPLES = re.compile(r'\n\n +Examples:\n.*?(?=\n *""")', re.DOTALL)


class ListingError(Exception):
    """A source that cannot be found."""


@dataclass(frozen=True)
class Listing:
    """The text to list, the names it may use when it runs, and its file if it is a whole one."""

    text: str
    namespace: dict[str, Any]
    file: Path | None = None


def find(source: str, folder: Path) -> Listing:
    """Find what a `source:` marker names; a docstring is listed without its examples.

    Args:
        source: A dotted name, such as `package.module.function`, or the path of a `.py` file.
        folder: Where relative paths start.

    Raises:
        ListingError: There is no such object or file.
    """
    if source.endswith(".py"):
        file = folder / source
        if not file.is_file():
            raise ListingError(f"the listed file {source} does not exist: correct the marker")
        return Listing(file.read_text(), {"__name__": file.stem, "__file__": str(file)}, file)
    target = _resolve(source)
    try:
        text = textwrap.dedent(inspect.getsource(target))
    except (OSError, TypeError) as error:
        raise ListingError(f"{source} has no source ({error}): list something else") from error
    home = inspect.getmodule(target)
    return Listing(EXAMPLES.sub("", text), dict(vars(home)) if home else {})


def find_examples(page: Page) -> Iterator[tuple[int, doctest.DocTest]]:
    """Find the examples of what a page shows by `::: package.name`, each with its line.

    A class brings those of its methods; a module is shown as a list of its names, without any. An
    example starts with no names, so that it is complete.

    Raises:
        PageError: There is no such object.
    """
    for number, line in enumerate(page.lines, start=1):
        if number in page.fenced or not (directive := DIRECTIVE.match(line)):
            continue
        try:
            shown = _resolve(directive[1])
        except ListingError as error:
            raise PageError([Problem(page.path, number, str(error))]) from error
        if not inspect.ismodule(shown):
            finder = doctest.DocTestFinder(recurse=inspect.isclass(shown))
            for example in finder.find(shown, directive[1], globs={}):
                if example.examples:
                    yield number, example


def _resolve(source: str) -> Any:
    module, _, rest = source.partition(".")
    try:
        target: Any = importlib.import_module(module)
        for name in rest.split(".") if rest else ():
            target = getattr(target, name)
    except (ImportError, AttributeError) as error:
        raise ListingError(
            f"the listed source {source} does not exist ({error}): correct the marker"
        ) from error
    return target
