"""Source that a page lists: an object of an importable package, or a file beside the page."""

import importlib
import inspect
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class ListingError(Exception):
    """A source that cannot be found."""


@dataclass(frozen=True)
class Listing:
    """The text to list, the names it may use when it runs, and its file if it is a whole one."""

    text: str
    namespace: dict[str, Any]
    file: Path | None = None


def find(source: str, folder: Path) -> Listing:
    """Find what a `source:` marker names.

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
    module, _, rest = source.partition(".")
    try:
        target: Any = importlib.import_module(module)
        for name in rest.split(".") if rest else ():
            target = getattr(target, name)
        text = textwrap.dedent(inspect.getsource(target))
    except (ImportError, AttributeError, OSError, TypeError) as error:
        raise ListingError(
            f"the listed source {source} does not exist ({error}): correct the marker"
        ) from error
    home = inspect.getmodule(target)
    return Listing(text, dict(vars(home)) if home else {})
